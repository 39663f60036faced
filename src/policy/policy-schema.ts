import { z } from 'zod';
import { outcomes } from '../semconv/vocabulary.ts';
import { gates, policyTest } from './gate-schema.ts';
import { budgets } from './later-schema.ts';
import { kpiName, objectives } from './objective-schema.ts';
import { count, day, duration, name, ratio, text } from './policy-values.ts';
import { rollback } from './rollback-schema.ts';
import { runbookUrlPattern } from './runbook-links.ts';

const tier = (what: string) =>
  z
    .strictObject({
      page: z.boolean().describe('true: on_call is told; false: the owner is.'),
      acknowledge_within: duration.describe('Until it is resolved it is told again this often.'),
    })
    .optional()
    .describe(what);

const risk = z.strictObject({
  id: name('a short id such as R-7'),
  statement: text('what may go wrong'),
  likelihood: count(1, 5).describe('How likely that is, 5 the most.'),
  impact: count(1, 5).describe('How much harm that is, 5 the most.'),
  owner: name('who answers for it'),
  mitigation: text('what is done about it'),
  review_by: day.describe('By when somebody looks at it again; overdue is a finding of `policy check`.'),
  kpi: kpiName.optional().describe('The KPI in which it would be seen.'),
});

/** A policy as users write it. There are no defaults: what it says is all there is. */
export const policySchema = z
  .strictObject({
    apiVersion: z.literal('plimsoll/v1').describe('The version of this schema.'),
    kind: z.literal('ReliabilityPolicy').describe('What the file is.'),
    metadata: z
      .strictObject({
        name: z
          .string()
          .regex(
            /^[a-z][a-z0-9-]{0,62}$/,
            'must be lower case letters, digits and dashes, such as refund-agent',
          )
          .describe('Names the rendered files and stands in the label policy.'),
        version: count(1, 1_000_000).describe('Raised with every change.'),
        owner: name(
          'the team that answers for the agent; Alertmanager tells the receiver of this name what is no page',
        ),
        on_call: name('the receiver of Alertmanager that is paged'),
        approvers: z
          .array(name('who may approve a rollback'))
          .min(1)
          .optional()
          .describe('Who may approve rollbacks, by the names in extensions::api::users.'),
        runbook_url: z
          .string()
          .regex(runbookUrlPattern, 'must be a URL such as https://runbooks.example.com/refunds, without #')
          .optional()
          .describe(
            'The runbook of the team, in place of deploy/runbook.md: alerts link to it, with # and their name.',
          ),
      })
      .describe('What it is called, and who answers for it.'),
    scope: z
      .strictObject({
        agents: z.array(pattern('an agent')).min(1).describe('Agents that it covers.'),
        environments: z.array(pattern('an environment')).min(1).describe('Environments that it covers.'),
      })
      .describe('Exact names, or beginnings and *. Only one policy may claim an agent in an environment.'),
    good_outcomes: z
      .array(z.enum(outcomes))
      .min(1)
      .describe('The outcomes of runs that are good, in gauges and in alerts.'),
    objectives,
    severities: z
      .strictObject({
        sev1: tier('The gravest.'),
        sev2: tier('Grave.'),
        sev3: tier('Less grave.'),
        sev4: tier('To be looked at.'),
      })
      .describe('What a severity means, the gravest first.'),
    review: z
      .strictObject({ rate: ratio.describe('Share of runs that humans review.') })
      .optional()
      .describe('Not yet enforced.'),
    budgets: budgets.optional(),
    gates: gates.optional(),
    rollback: rollback.optional(),
    drill: z
      .strictObject({
        every: duration.describe('An alert tells when the last one that went well is older.'),
        scenario: name('which failure is rehearsed'),
      })
      .optional()
      .describe('How often it is rehearsed that a bad release is rolled back.'),
    risks: z
      .array(risk)
      .min(1)
      .optional()
      .describe('What may go wrong, with who answers for it: the risk register.'),
    tests: z
      .array(policyTest)
      .min(1)
      .optional()
      .describe('What a gate must say of a fixture; `policy test` runs them.'),
  })
  .describe('What is safe for a family of agents, who owns it, and what happens when it is not.');

function pattern(what: string) {
  return z.string().regex(/^[^*\p{Cc}]+\*?$|^\*$/u, `must be the name of ${what}, or its beginning and *`);
}

/** A policy whose shape is right; `findingsOf` says whether it makes sense. */
export type Policy = z.infer<typeof policySchema>;

/** The JSON Schema of policies, for editors, as text. */
export function policyJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(policySchema), undefined, 2)}\n`;
}
