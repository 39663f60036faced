/** An alert as Alertmanager sends it to webhooks. */
export function alertOf(labels: Readonly<Record<string, string>>, status = 'firing') {
  return {
    status,
    labels: {
      alertname: 'ReleaseFails',
      agent: 'refund',
      environment: 'production',
      release: 'v2',
      rollback: 'auto',
      severity: 'sev2',
      ...labels,
    },
    annotations: {
      summary: 'refund v2 in production is worse than v1',
      runbook_url: 'https://runbooks.example/',
    },
    startsAt: '2026-11-26T11:58:15.201Z',
    endsAt: '0001-01-01T00:00:00Z',
    generatorURL: 'http://prometheus:9090/graph?g0.expr=plimsoll_release_verdict',
    fingerprint: 'f8e7a9c0d1b2e3f4',
  };
}

/** A notification as Alertmanager 0.33 sends it to webhooks, after its documentation of the payload. */
export function notificationOf(alerts: readonly unknown[], changes: Readonly<Record<string, unknown>> = {}) {
  return {
    receiver: 'plimsoll-rollback',
    status: 'firing',
    alerts,
    groupLabels: { agent: 'refund', environment: 'production', release: 'v2' },
    commonLabels: { alertname: 'ReleaseFails', rollback: 'auto', severity: 'sev2' },
    commonAnnotations: {},
    externalURL: 'http://alertmanager:9093',
    version: '4',
    groupKey: '{}/{rollback="auto"}:{agent="refund", environment="production", release="v2"}',
    truncatedAlerts: 0,
    notification_reason: 'first notification',
    ...changes,
  };
}
