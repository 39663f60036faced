import { series, type PipelineAlert } from './pipeline-alert.ts';

/** The alerts on the executor: it decides nothing by itself any more, or waits for somebody. */
export const rollbackAlerts: readonly PipelineAlert[] = [
  {
    alert: 'PlimsollRollbackNeedsHuman',
    severity: 'sev2',
    // An open breaker has an alert of its own.
    expr: 'max by (what) (plimsoll_rollback_needs_human{what!="breaker"}) > 0',
    for: '0m',
    summary: 'A rollback needs somebody: {{ $value }} {{ $labels.what }}.',
    runbook:
      'plimsoll rollback list says which, and why. awaiting_approval: plimsoll rollback approve or refuse. failed, expired, refused: the bad release may still run; go back by hand if it does.',
    when: [series('plimsoll_rollback_needs_human{what="failed"}', '2x60')],
    labels: { what: 'failed' },
    value: '2',
  },
  {
    alert: 'PlimsollRollbackBreakerOpen',
    severity: 'sev2',
    expr: 'max by (scope) (plimsoll_rollback_breaker_open) == 1',
    for: '0m',
    summary:
      'So many rollbacks were asked for that none is done any more: the breaker {{ $labels.scope }} is open.',
    runbook:
      'Find out why they are so many (plimsoll rollback list): a bad release that comes back, or a measurement that is wrong. Then plimsoll rollback close-breaker.',
    when: [series('plimsoll_rollback_breaker_open{scope="global"}', '1x60')],
    labels: { scope: 'global' },
  },
  {
    alert: 'PlimsollRollbackStopped',
    severity: 'sev3',
    expr: 'max(plimsoll_rollback_stopped) == 1',
    for: '30m',
    summary: 'Somebody stopped all rollbacks: bad releases stay until a person acts.',
    runbook:
      'plimsoll rollback list says who and why; plimsoll rollback resume ends it, or removing the stop file.',
    when: [series('plimsoll_rollback_stopped', '1x60')],
  },
  {
    alert: 'PlimsollRollbackFault',
    severity: 'sev1',
    expr: 'max(plimsoll_rollback_fault) == 1',
    for: '5m',
    summary: 'No rollback is decided: the journal is out of reach, or was tampered with.',
    runbook:
      'The log of the assessing process says which. plimsoll rollback verify finds what was changed in the file of the journal.',
    when: [series('plimsoll_rollback_fault', '1x60')],
  },
];

/** What the executor shows while all is well. */
export const healthyRollbacks = [
  series('plimsoll_rollback_needs_human{what="failed"}', '0x60'),
  series('plimsoll_rollback_needs_human{what="breaker"}', '1x60'),
  series('plimsoll_rollback_stopped', '0x60'),
  series('plimsoll_rollback_fault', '0x60'),
];
