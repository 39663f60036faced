import { describe, expect, test } from 'vitest';
import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import { LogSpans } from '../../src/enrich/log-spans.ts';
import type { Evaluators } from '../../src/enrich/scores.ts';
import { noScores } from '../../src/semconv/span-facts.ts';
import { encodeLogs, type OracleSpan } from '../otlp/oracle.ts';
import { attributesOf, ownAttributes, requestOf, spanOf, traceId, type Values } from './one-span.ts';

const evaluators: Evaluators = { stars: { min: 1, max: 5 }, mood: { min: -1, max: 1 } };
const enricher = new Enricher({ content: { mode: 'drop' }, evaluators });

/** What is read of one span: its scores, our own keys, and what was not taken. */
function read(values: Values, rest: OracleSpan = {}) {
  const request = enricher.enrich(requestOf(attributesOf(values), rest), 1);
  const unread = Object.fromEntries(request.unreadScores);
  const spans = new EnrichedSpans(enricher);
  spans.read(request.records[0]!);
  const { scores, step, runId } = spans.at(0);
  const span = spanOf(request);
  return { scores: Object.fromEntries(scores), isNone: scores === noScores, step, runId, unread, span };
}

const result = (name: string, rest: Values): NonNullable<OracleSpan['events']>[number] => ({
  name: 'gen_ai.evaluation.result',
  attributes: attributesOf({ 'gen_ai.evaluation.name': name, ...rest }),
});
const value = (score: number): Values => ({ 'gen_ai.evaluation.score.value': score });
const label = (text: string): Values => ({ 'gen_ai.evaluation.score.label': text });

describe('what evaluators found', () => {
  test('is read from events, of each evaluator the last', () => {
    const { scores, span } = read(
      {},
      { events: [result('helpful', value(0.2)), result('safe', value(1)), result('helpful', value(0.75))] },
    );
    expect(scores).toEqual({ helpful: 0.75, safe: 1 });
    expect(ownAttributes(span)).toMatchObject({ 'plimsoll.score.helpful': 0.75, 'plimsoll.score.safe': 1 });
  });

  test('is read from a log record', () => {
    const attributes = attributesOf({ 'gen_ai.evaluation.name': 'helpful', ...value(0.5) });
    const log = { eventName: 'gen_ai.evaluation.result', traceId: Buffer.from(traceId, 'hex'), attributes };
    const { request } = new LogSpans().read(
      encodeLogs({ resourceLogs: [{ scopeLogs: [{ logRecords: [log] }] }] }),
    );
    const spans = new EnrichedSpans(enricher);
    spans.read(enricher.enrich(request, 1).records[0]!);
    expect(spans.at(0)).toMatchObject({ step: 'evaluator', log: 'traced', runId: traceId });
    expect(Object.fromEntries(spans.at(0).scores)).toEqual({ helpful: 0.5 });
  });

  test.each(['evaluations.#.evaluation', 'annotations.#.annotation'])('is read from %s', (stem) => {
    const of = (scope: string, number: number, said: Values): Values =>
      Object.fromEntries(
        Object.entries(said).map(([part, text]) => [
          `${scope}${stem.replace('#', String(number))}.${part}`,
          text,
        ]),
      );
    const { scores, span } = read({
      ...of('', 0, { name: 'helpful', score: 0.25, explanation: 'the secret' }),
      ...of('', 12, { name: 'safe', label: 'PASS' }),
      ...of('trace.', 0, { name: 'done', score: '1', label: 'fail' }),
      ...of('session.', 0, { name: 'kind', label: 'failed', annotator_kind: 'HUMAN' }),
    });
    expect(scores).toEqual({ helpful: 0.25, safe: 1, done: 1, kind: 0 });
    expect(JSON.stringify(span)).not.toContain('the secret');
  });

  test('lies between 0 and 1, whatever the evaluator counts in', () => {
    const { scores } = read(
      {},
      { events: [result('stars', value(4)), result('mood', value(-0.5)), result('other', value(0.1))] },
    );
    expect(scores).toEqual({ stars: 0.75, mood: 0.25, other: 0.1 });
  });

  test('is not taken, and counted, where it can be no score', () => {
    const { scores, unread } = read(
      {},
      {
        events: [
          result('other', value(4)),
          result('stars', value(0)),
          result('a', label('relevant')),
          result('b', { 'error.type': 'Timeout' }),
          result('', value(1)),
          result('x'.repeat(65), value(1)),
          { name: 'gen_ai.evaluation.result', attributes: attributesOf(value(1)) },
        ],
      },
    );
    expect(scores).toEqual({});
    expect(unread).toEqual({ out_of_range: 2, no_value: 2, no_name: 3 });
  });

  test('is taken of an evaluator with any name', () => {
    const { scores } = read({}, { events: [result('constructor', value(0.5)), result('"', value(1))] });
    expect(scores).toEqual({ constructor: 0.5, '"': 1 });
  });

  test('is taken of sixteen evaluators at most', () => {
    const { scores, unread } = read(
      {},
      { events: Array.from({ length: 20 }, (_, k) => result(`e${k}`, value(1))) },
    );
    expect(Object.keys(scores)).toHaveLength(16);
    expect(unread).toEqual({ too_many: 4 });
  });

  test('is nothing on a span of which nobody says any', () => {
    expect(read({ response: 'good' })).toMatchObject({ scores: {}, isNone: true, unread: {} });
  });

  test.each([
    ['good', { feedback_survey: 1 }],
    ['fine', { feedback_survey: 0.5 }],
    ['bad', { feedback_survey: 0 }],
    ['dismissed', {}],
  ])('is what a user of Claude Code answered: %s', (response, scores) => {
    expect(read({ response }, { name: 'claude_code.feedback_survey' })).toMatchObject({
      scores,
      step: 'evaluator',
    });
  });
});

describe('a key of ours for a score', () => {
  test('stands, and comes before what a convention says', () => {
    const { scores, span } = read(
      { 'plimsoll.score.helpful': 0.5 },
      { events: [result('helpful', value(1))] },
    );
    expect(scores).toEqual({ helpful: 0.5 });
    expect(ownAttributes(span)).toEqual({ 'plimsoll.score.helpful': 0.5 });
  });

  test.each<[string, Values]>([
    ['more than 1', { 'plimsoll.score.helpful': 2 }],
    ['less than 0', { 'plimsoll.score.helpful': -1 }],
    ['no number', { 'plimsoll.score.helpful': 'good' }],
    ['empty', { 'plimsoll.score.helpful': '' }],
    ['of nobody', { 'plimsoll.score.': 1 }],
    ['of a name too long', { [`plimsoll.score.${'x'.repeat(65)}`]: 1 }],
  ])('is removed and counted when it is %s', (_, values) => {
    const request = enricher.enrich(requestOf(attributesOf(values)), 1);
    expect(request.removedInvalidValues).toBe(1);
    expect(ownAttributes(spanOf(request))).toEqual({});
  });

  test('is there once an evaluator, and of sixteen at most', () => {
    const twice = [...attributesOf({ 'plimsoll.score.a': 1 }), ...attributesOf({ 'plimsoll.score.a': 0.5 })];
    const many = attributesOf(
      Object.fromEntries(Array.from({ length: 20 }, (_, k) => [`plimsoll.score.b${k}`, 1])),
    );
    const request = enricher.enrich(requestOf([...twice, ...many]), 1);
    expect(request.removedInvalidValues).toBe(6);
    expect(ownAttributes(spanOf(request))).toMatchObject({
      'plimsoll.score.a': '1',
      'plimsoll.score.b14': '1',
    });
  });

  test('says nothing of a span when it is on its resource', () => {
    const request = enricher.enrich(requestOf([], {}, { 'plimsoll.score.a': 1 }), 1);
    expect(request.removedInvalidValues).toBe(1);
  });
});

const linkTo = (id: string) => ({ traceId: Buffer.from(id, 'hex'), spanId: Buffer.alloc(8, 1) });

describe('a span of an evaluator', () => {
  const kind = { 'openinference.span.kind': 'EVALUATOR' };
  const other = 'ab'.repeat(16);

  test('speaks of the run that its only link leads to', () => {
    const { runId, step, scores } = read(
      { ...kind, 'annotations.0.annotation.name': 'helpful', 'annotations.0.annotation.score': 1 },
      { links: [linkTo(other)] },
    );
    expect({ runId, step, scores }).toEqual({ runId: other, step: 'evaluator', scores: { helpful: 1 } });
  });

  test.each<[string, Values, OracleSpan['links']]>([
    ['it has none', kind, []],
    ['it has two', kind, [linkTo(other), linkTo('cd'.repeat(16))]],
    ['that is its own', kind, [linkTo(traceId)]],
    ['it is no evaluator', { 'openinference.span.kind': 'AGENT' }, [linkTo(other)]],
  ])('speaks of its own trace when %s', (_, values, links) => {
    expect(read(values, { links: links ?? [] }).runId).toBe(traceId);
  });

  test('speaks of the run that it names', () => {
    expect(read({ ...kind, 'plimsoll.run.id': 'task' }, { links: [linkTo(other)] }).runId).toBe('task');
  });
});

test('what was no score is told of each request, whatever is read before somebody asks', () => {
  const none = attributesOf({ 'plimsoll.score.helpful': 4 });
  const first = enricher.enrich(requestOf(attributesOf({}), { events: [result('stars', value(9))] }), 1);
  enricher.enrich(requestOf(none), 1);
  expect(Object.fromEntries(first.unreadScores)).toEqual({ out_of_range: 1 });
});
