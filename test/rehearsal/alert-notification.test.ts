import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readNotification } from '../../src/api/alert-payload.ts';
import { receiverNames } from '../../src/policy/alertmanager.ts';
import { readPolicy } from '../../src/policy/read-policy.ts';
import { releaseAlerts } from '../../src/policy/release-rules.ts';
import { alertNotification } from '../../src/rehearsal/alert-notification.ts';

const shipped = new URL('../../config/policies/refund-agent.yaml', import.meta.url).pathname;

test('what a drill sends is what the rendered rule and routes of a policy send, and the API takes it', () => {
  const result = readPolicy(shipped, readFileSync(shipped, 'utf8'));
  if (!('read' in result)) throw new Error('the shipped policy reads well');
  const of = { agent: 'refund-agent', environment: 'drill:production', release: 'r' };
  const text = alertNotification(of, 0);
  const { receiver, commonLabels } = JSON.parse(text);
  const rule = releaseAlerts(result.read).find(({ rule: { labels } }) => 'rollback' in labels)?.rule;
  expect(receiverNames([result.read])).toContain(receiver);
  expect(commonLabels).toEqual({ ...of, alertname: rule?.alert, rollback: rule?.labels['rollback'] });
  expect(readNotification(text)).toMatchObject({ asking: [of], faults: [] });
});
