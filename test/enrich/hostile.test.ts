import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import { limitCount, limitUsd } from '../../src/semconv/plimsoll.ts';
import {
  costSources,
  escalationReasons,
  escalationStates,
  evidenceLevels,
  outcomes,
  results,
  steps,
} from '../../src/semconv/vocabulary.ts';
import { runs } from '../property-runs.ts';
import { encodeRequest } from '../otlp/oracle.ts';
import { requests } from './arbitrary-requests.ts';
import { enriched } from './one-span.ts';

const enricher = new Enricher({ content: { mode: 'drop' } });

test('property: whatever a span says, what is read of it is a word of the closed lists or a number in bounds', () => {
  const spans = new EnrichedSpans(enricher);
  fc.assert(
    fc.property(requests, (request) => {
      spans.read({ payload: encodeRequest(request), headers: {} });
      for (let row = 0; row < spans.count; row++) {
        const facts = spans.at(row);
        expect(steps).toContain(facts.step);
        expect(evidenceLevels).toContain(facts.evidence);
        expect([undefined, ...outcomes]).toContain(facts.outcome);
        expect([undefined, ...escalationReasons]).toContain(facts.escalationReason);
        expect([undefined, ...escalationStates]).toContain(facts.escalationState);
        expect([undefined, ...costSources]).toContain(facts.costSource);
        expect(facts.step === 'tool' ? results : [undefined]).toContain(facts.result);
        expect(facts.failed).toBe(facts.errorType !== '');
        expect(facts.result === 'error').toBe(facts.step === 'tool' && facts.failed);
        expect(Number.isInteger(facts.attempt) && facts.attempt >= 1 && facts.attempt <= 1000).toBe(true);
        for (const [number, limit] of [
          [facts.costUsd, limitUsd],
          [facts.inputTokens, Number.MAX_VALUE],
          [facts.outputTokens, Number.MAX_VALUE],
        ] as const) {
          if (number !== undefined) expect(number >= 0 && number <= limit).toBe(true);
        }
        // A reason passes control to a human, and a call that waits or was refused has not failed.
        if (facts.escalationReason) expect(facts.escalationState).not.toBe('auto');
      }
    }),
    { numRuns: runs },
  );
});

describe('a model call that says nonsense', () => {
  const chat = { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai' };
  const known = { ...chat, 'gen_ai.request.model': 'gpt-4o' };
  const tokens = { 'gen_ai.usage.input_tokens': 1000, 'gen_ai.usage.output_tokens': 100 };

  test('names a model that nobody knows: it is unpriced', () => {
    const { facts } = enriched({ ...chat, 'gen_ai.request.model': 'no-such-model', ...tokens });
    expect([facts.costUsd, facts.costSource, facts.inputTokens]).toEqual([undefined, 'unpriced', 1000]);
  });

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 'many', '', true])(
    'has %s input tokens: they count as nothing, and the rest stands',
    (input) => {
      const { facts, request } = enriched({ ...known, ...tokens, 'gen_ai.usage.input_tokens': input });
      expect(request.unreadableNumbers).toBe(input === '' ? 0 : 1);
      expect([facts.inputTokens, facts.outputTokens, facts.costUsd]).toEqual([undefined, 100, 0.001]);
    },
  );

  test('has more tokens than there can be: it costs nothing that is known', () => {
    const { facts } = enriched({ ...known, 'gen_ai.usage.output_tokens': limitCount * 10 });
    expect([facts.costUsd, facts.costSource]).toEqual([undefined, undefined]);
  });

  test('has more cached tokens than tokens: its count left them out', () => {
    const { facts } = enriched({ ...known, ...tokens, 'gen_ai.usage.cache_read.input_tokens': 5000 });
    expect(facts.inputTokens).toBe(6000);
  });

  test('has a negative part: the part counts as nothing', () => {
    const { facts } = enriched({ ...known, ...tokens, 'gen_ai.usage.cache_read.input_tokens': -5 });
    expect([facts.inputTokens, facts.costUsd]).toEqual([1000, 0.0035]);
  });

  test('has tokens without the cached ones by their name: they are added, however few they are', () => {
    const { facts } = enriched(
      { model: 'claude-sonnet-4-5', input_tokens: 500, cache_read_tokens: 100, output_tokens: 1 },
      { name: 'claude_code.llm_request' },
    );
    expect(facts.inputTokens).toBe(600);
  });
});

describe('a span with words that belong to others', () => {
  test('is not a failed one for saying success or decision where no convention means it', () => {
    const { facts } = enriched(
      { success: false, decision: 'reject', source: 'user_reject' },
      { name: 'GET /x' },
    );
    expect([facts.failed, facts.escalationState]).toEqual([false, undefined]);
  });

  test('is not a failed one for an error that is false, nor is a message an error type', () => {
    expect(enriched({ error: false }).facts.failed).toBe(false);
    const { facts, span } = enriched({ error: 'card 4111 declined' }, { status: { code: 2 } });
    expect(facts.errorType).toBe('_OTHER');
    expect(JSON.stringify(span)).not.toContain('4111');
  });

  test('with a start behind its end waited for nobody', () => {
    const { own } = enriched(
      { decision: 'accept', source: 'user_temporary' },
      {
        name: 'claude_code.tool.blocked_on_user',
        startTimeUnixNano: '1760000009000000000',
        endTimeUnixNano: '1760000001000000000',
      },
    );
    expect(own['plimsoll.escalation.state']).toBe('approved');
    expect(own['plimsoll.escalation.wait_ms']).toBeUndefined();
  });

  test('has a number of attempts that cannot be: it is one', () => {
    for (const attempt of [0, -3, Number.NaN, 'x']) {
      expect(enriched({ attempt, 'gen_ai.tool.name': 'x' }).facts.attempt).toBe(1);
    }
    expect(enriched({ attempt: 1e9, 'gen_ai.tool.name': 'x' }).facts.attempt).toBe(1000);
  });
});

describe('what the wait for a human leaves on its span', () => {
  const name = 'claude_code.tool.blocked_on_user';

  test('is how long, by which rule and seen in what', () => {
    const { own } = enriched({ decision: 'accept', source: 'user_permanent' }, { name });
    expect(own).toMatchObject({
      'plimsoll.step': 'review',
      'plimsoll.escalation.reason': 'approval',
      'plimsoll.escalation.state': 'approved',
      'plimsoll.escalation.source': 'span',
      'plimsoll.escalation.wait_ms': '1000',
      'plimsoll.rule': 'claude_code_decision',
    });
  });

  test('is nothing of a human when a setting decided', () => {
    const { own } = enriched({ decision: 'accept', source: 'config' }, { name });
    expect(own['plimsoll.escalation.state']).toBe('auto');
    expect(own).not.toHaveProperty('plimsoll.escalation.reason');
    expect(own).not.toHaveProperty('plimsoll.escalation.wait_ms');
  });

  test('is what the sender says where he says it', () => {
    const { own } = enriched({
      'plimsoll.escalation.reason': 'approval',
      'plimsoll.escalation.state': 'approved',
      'plimsoll.escalation.wait_ms': 7,
    });
    expect(own).toMatchObject({
      'plimsoll.escalation.source': 'explicit',
      'plimsoll.escalation.wait_ms': '7',
      'plimsoll.rule': 'explicit',
    });
  });
});
