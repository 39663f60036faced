import { z } from 'zod';
import type { Report } from '../incidents/incident-book.ts';
import { incidentStates, isPolicyKey, type IncidentState } from '../incidents/incident.ts';
import { labelValue } from '../semconv/label-value.ts';
import { severities, unknown } from '../semconv/vocabulary.ts';
import { faultOf, parsedJson } from './json-body.ts';

/** One line of text. */
const name = (what: string) =>
  z
    .string()
    .regex(/\S/, `is empty: write ${what}`)
    .max(200)
    .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), 'must be one line of text')
    .describe(`Says ${what}.`);

/** One that stands in the labels of KPIs, as it stands there. */
const label = (what: string) => name(what).overwrite(labelValue);

/** What began before is a clock that was not set. */
const firstMs = Date.UTC(2000, 0, 1);

const key = name('what the incident is about, one open for each key').refine(
  (text) => !isPolicyKey(text),
  'must not begin with policy/: such keys are those of policies',
);

const reporting = z.strictObject({
  state: z.literal('open').optional(),
  key,
  agent: label('which agent it is about'),
  release: label('which release').default(unknown),
  environment: label('where that runs').default(unknown),
  severity: z.enum(severities),
  owner: z.string().max(200).default('').describe('Who answers for it.'),
  title: name('what happened, in a few words'),
  summary: z.string().max(1000).default('').describe('What is known of it.'),
  started: z.iso
    .datetime({ offset: true, error: 'must be a time such as 2026-11-26T12:00:00Z', abort: true })
    .refine((time) => Date.parse(time) >= firstMs, 'is before 2000: write when it began, or leave it out')
    .optional()
    .describe('When it began; now if it is not said.'),
});

const changing = z
  .strictObject({
    state: z.enum(['acknowledged', 'mitigated', 'resolved']),
    id: z.string().max(200).optional().describe('The incident, by its id.'),
    key: z.string().max(1000).optional().describe('The incident, by its key: the latest that has it.'),
  })
  .refine(({ id, key: of }) => (id === undefined) !== (of === undefined), 'must have either id or key');

/** The JSON Schema of what is posted: a report of an incident, or what became of one. */
export const incidentSchema = z.toJSONSchema(z.union([reporting, changing]), {
  io: 'input',
  target: 'draft-2020-12',
});

/** What somebody posts. */
export type IncidentRequest =
  | { readonly kind: 'report'; readonly report: Report }
  | {
      readonly kind: 'change';
      readonly of: { readonly id: string } | { readonly key: string };
      readonly state: Exclude<IncidentState, 'open'>;
    };

/** Reads what was posted; `faults` are sentences that each name a key and the fix. */
export function readIncidentRequest(
  text: string,
): { readonly request: IncidentRequest } | { readonly faults: readonly string[] } {
  const value = parsedJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { faults: ['the body must be a JSON object: /api/v1/incidents/schema says which'] };
  const state: unknown = 'state' in value ? value.state : 'open';
  if (!incidentStates.some((known) => known === state))
    return { faults: [`state: must be one of ${incidentStates.join(', ')}`] };
  return state === 'open' ? reportIn(value) : changeIn(value);
}

function reportIn(value: object): ReturnType<typeof readIncidentRequest> {
  const { data, error } = reporting.safeParse(value, { reportInput: true });
  if (!data) return { faults: error.issues.map((issue) => faultOf(issue)) };
  const { state: _, started, ...report } = data;
  const startedMs = started === undefined ? undefined : Date.parse(started);
  return { request: { kind: 'report', report: { ...report, startedMs } } };
}

function changeIn(value: object): ReturnType<typeof readIncidentRequest> {
  const { data, error } = changing.safeParse(value, { reportInput: true });
  if (!data) return { faults: error.issues.map((issue) => faultOf(issue)) };
  const of = data.id === undefined ? { key: data.key ?? '' } : { id: data.id };
  return { request: { kind: 'change', of, state: data.state } };
}
