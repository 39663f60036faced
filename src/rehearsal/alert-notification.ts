import { executorReceiver } from '../policy/alertmanager.ts';
import { failsAlert, rollbackLabel } from '../policy/release-rules.ts';

/** A release of an agent in an environment. */
interface Release {
  readonly agent: string;
  readonly environment: string;
  readonly release: string;
}

/** What Alertmanager would send of nothing: whoever takes alerts takes it, and does nothing. */
export const noAlerts = JSON.stringify({ version: '4', alerts: [] });

/** What Alertmanager sends to webhooks (version 4 of its payload) of an alert that a release fails, as JSON. */
export function alertNotification({ agent, environment, release }: Release, sinceMs: number): string {
  const labels = { alertname: failsAlert, agent, environment, release, ...rollbackLabel };
  const annotations = { summary: 'a drill' };
  return JSON.stringify({
    version: '4',
    groupKey: `drill ${release}`,
    truncatedAlerts: 0,
    status: 'firing',
    receiver: executorReceiver,
    groupLabels: { agent, environment, release },
    commonLabels: labels,
    commonAnnotations: annotations,
    externalURL: '',
    alerts: [
      {
        status: 'firing',
        labels,
        annotations,
        startsAt: new Date(sinceMs).toISOString(),
        endsAt: '0001-01-01T00:00:00Z', // Go's zero time: it still fires
        generatorURL: '',
        fingerprint: release,
      },
    ],
  });
}
