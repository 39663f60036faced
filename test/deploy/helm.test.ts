import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { beginIn, plimsoll } from '../e2e/program.ts';
import { requires, withoutTools } from '../requires.ts';
import { chart, helm, manifestsOf, rendered, type Manifest } from './chart.ts';
import { exposedPorts } from './container.ts';
import { validatorPrograms } from './validators.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const policy = join(root, 'config', 'policies', 'refund-agent.yaml');
const promtool = requires('promtool', { version: '--version', from: 'prometheus' });
const folder = mkdtempSync(join(tmpdir(), 'plimsoll-helm-'));
afterAll(() => rmSync(folder, { recursive: true }));

const labels = z.record(z.string(), z.string());
const selected = z.object({ matchLabels: labels });
const variable = z.object({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z.object({ secretKeyRef: z.object({ name: z.string(), key: z.string() }) }).optional(),
});
const container = z.looseObject({
  args: z.array(z.string()),
  env: z.array(variable),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  securityContext: z.looseObject({}),
});
const template = z.object({
  metadata: z.object({ labels }),
  spec: z.looseObject({
    automountServiceAccountToken: z.boolean(),
    securityContext: z.looseObject({}),
    containers: z.tuple([container]),
  }),
});
let programs: string;
beforeAll(async () => {
  programs = await validatorPrograms();
  const receivers = join(root, 'deploy', 'receivers.yaml');
  const words = ['--receivers', receivers, '--out', join(folder, 'rules')];
  const { code, stderr } = await plimsoll('policy', 'render', ...words, policy);
  expect({ code, said: withoutTools(stderr) }).toEqual({ code: 0, said: '' });
}, 900_000);

const rule = (name: string): readonly string[] => [
  '--set-file',
  `prometheusRule.files.${name}=${join(folder, 'rules', `${name}.rules.yaml`)}`,
];
const full = (): readonly string[] => [
  '--values',
  join(root, 'test', 'deploy', 'helm-full.values.yaml'),
  '--set-file',
  `policies.refund-agent=${policy}`,
  ...rule('refund-agent'),
  ...rule('plimsoll-pipeline'),
];

const variants = [
  { name: 'default', words: () => [] },
  { name: 'full', words: full },
];
/** Without the texts that the chart hands over as they are: rules, and policies. */
function withoutHandedOver(text: string): string {
  const handedOver = /^kind: PrometheusRule$|^ {2}name: agents-plimsoll-policies$/m;
  return text
    .split(/^---\n/m)
    .filter((document) => !handedOver.test(document))
    .join('---\n');
}

test('the chart is of the version of the package, and helm finds nothing to mend', () => {
  const { version }: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(helm(programs, 'show', 'chart', chart).stdout).toContain(`appVersion: ${version}`);
  expect(helm(programs, 'lint', '--strict', chart)).toMatchObject({ status: 0 });
});

test('the template for Argo Rollouts asks the service of assess, with the token, of the chart as the README installs it', () => {
  const readme = readFileSync(join(root, 'deploy', 'README.md'), 'utf8');
  const [, release = '', namespace = ''] = /helm install (\S+) \S+ -n (\S+)/.exec(readme) ?? [];
  const where = [release, chart, '--namespace', namespace, '--kube-version', '1.34.0'];
  const all = manifestsOf(helm(programs, 'template', ...where).stdout);
  const argo = z
    .object({ spec: z.object({ args: z.array(variable) }) })
    .parse(parse(readFileSync(join(folder, 'rules', 'refund-agent.argo.yaml'), 'utf8')));
  const asked = new Map(argo.spec.args.map((each) => [each.name, each]));
  const urls = all.flatMap(({ kind, metadata, spec }) =>
    kind === 'Service'
      ? z
          .object({ ports: z.array(z.object({ name: z.string(), port: z.number() })) })
          .parse(spec)
          .ports.filter(({ name }) => name === 'api')
          .map(({ port }) => `http://${metadata.name}.${metadata.namespace}:${port}`)
      : [],
  );
  expect(urls).toEqual([asked.get('plimsoll-url')?.value]);
  const token = all.flatMap(({ kind, spec }) =>
    kind === 'Deployment'
      ? z
          .object({ template })
          .parse(spec)
          .template.spec.containers[0].env.filter(({ name }) => name === 'PLIMSOLL_API_TOKEN')
      : [],
  );
  expect(token.map(({ valueFrom }) => valueFrom)).toEqual([asked.get('plimsoll-token')?.valueFrom]);
});

test.each([
  { set: 'ingest.replica=3', says: 'replica' },
  { set: 'assess.replicas=0', says: 'replicas' },
  { set: 'secret.name=', says: 'name' },
  { set: 'kafka.brokers=kafka', says: 'brokers' },
  { set: 'policies.a=', says: 'policies' },
])('a value that is none ($set) is refused', ({ set, says }) => {
  const { status, stderr } = helm(
    programs,
    'template',
    'agents',
    chart,
    '--kube-version',
    '1.34.0',
    '--set',
    set,
  );
  expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining(says) });
});

test('rules that are no rules are refused by name', () => {
  const words = ['--set', 'prometheusRule.enabled=true,prometheusRule.files.mine=nothing: here'];
  const { stderr } = helm(programs, 'template', 'agents', chart, '--kube-version', '1.34.0', ...words);
  expect(stderr).toContain('prometheusRule.files.mine: has no groups');
});

describe.each(variants)('with $name values', ({ name, words }) => {
  let text: string;
  let all: readonly Manifest[];
  beforeAll(() => {
    text = rendered(programs, ...words());
    all = manifestsOf(text);
  });
  const ofKind = (kind: string): readonly Manifest[] => all.filter((each) => each.kind === kind);
  const pods = () =>
    ofKind('Deployment').map(({ metadata, spec }) => ({
      role: metadata.name.replace('agents-plimsoll-', ''),
      ...z.object({ selector: selected, template }).parse(spec),
    }));
  const chosenBy = (wanted: Readonly<Record<string, string>>) =>
    pods().filter(({ template: { metadata } }) =>
      Object.entries(wanted).every(([key, value]) => metadata.labels[key] === value),
    );

  test('it is what it was', async () => {
    await expect(withoutHandedOver(text)).toMatchFileSnapshot(`../golden/helm/${name}.yaml`);
  });

  test('every key of every object is one that Kubernetes or the Prometheus operator knows', () => {
    const read = spawnSync(join(programs, 'validators'), ['manifests'], { input: text, encoding: 'utf8' });
    expect(read).toMatchObject({ status: 0, stderr: '' });
    expect(read.stdout.trim().split('\n')).toHaveLength(all.length);
  });

  test('no object is a secret, and every secret is asked for from the one that is named', () => {
    expect(ofKind('Secret')).toEqual([]);
    const asked = pods().flatMap(({ template: { spec } }) =>
      spec.containers[0].env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef.name ?? []),
    );
    expect(new Set(asked)).toEqual(new Set([name === 'full' ? 'plimsoll-secrets' : 'plimsoll']));
  });

  test('its pods meet the restricted standard of Kubernetes, on a read-only root', () => {
    for (const { template: of } of pods()) {
      expect(of.spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(of.spec.containers[0].securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  });

  test('only the executor of Argo Rollouts gets a token of the cluster', () => {
    const withToken = pods().filter(({ template: { spec } }) => spec.automountServiceAccountToken);
    expect(withToken.map(({ role }) => role)).toEqual(name === 'full' ? ['assess'] : []);
  });

  test('whatever selects pods selects those of one role, and names ports that they have', () => {
    for (const { selector, role } of pods())
      expect(chosenBy(selector.matchLabels).map((pod) => pod.role)).toEqual([role]);
    const services = ofKind('Service').map(({ spec }) =>
      z.object({ selector: labels, ports: z.array(z.looseObject({ targetPort: z.string() })) }).parse(spec),
    );
    expect(services).toHaveLength(5);
    for (const { selector, ports } of services) {
      const [pod, ...others] = chosenBy(selector);
      expect(others).toEqual([]);
      const known = pod?.template.spec.containers[0].ports.map((port) => port.name) ?? [];
      for (const { targetPort } of ports) expect(known).toContain(targetPort);
    }
    for (const { spec } of ofKind('PodDisruptionBudget'))
      expect(chosenBy(z.object({ selector: selected }).parse(spec).selector.matchLabels)).toHaveLength(1);
    for (const { spec } of ofKind('NetworkPolicy'))
      expect(chosenBy(z.object({ podSelector: selected }).parse(spec).podSelector.matchLabels)).toHaveLength(
        1,
      );
  });

  test('its pods have the ports of the image', () => {
    const exposed = exposedPorts(readFileSync(join(root, 'deploy', 'Containerfile'), 'utf8'));
    const ports = pods().flatMap(({ template: { spec } }) => spec.containers[0].ports);
    expect(new Set(ports.map(({ containerPort }) => containerPort))).toEqual(new Set(exposed));
  });

  test('a network policy lets in what services offer, and no more', () => {
    for (const { metadata, spec } of ofKind('NetworkPolicy')) {
      const { ingress } = z
        .object({ ingress: z.array(z.object({ ports: z.array(z.object({ port: z.number() })) })) })
        .parse(spec);
      const ports = ofKind('Service')
        .filter((each) => [metadata.name, `${metadata.name}-metrics`].includes(each.metadata.name))
        .flatMap(
          (each) => z.object({ ports: z.array(z.object({ port: z.number() })) }).parse(each.spec).ports,
        );
      const open = ingress.flatMap((each) => each.ports.map(({ port }) => port));
      expect(new Set(open)).toEqual(new Set(ports.map(({ port }) => port)));
    }
  });

  test.each(['ingest', 'store', 'assess'])(
    'the configuration of %s is valid with its environment',
    async (role) => {
      const [pod] = pods().filter((each) => each.role === role);
      const { env, args } = pod?.template.spec.containers[0] ?? { env: [], args: [] };
      const map = ofKind('ConfigMap').find(({ metadata }) => metadata.name === `agents-plimsoll-${role}`);
      const own = join(folder, `${name}-${role}.yaml`);
      writeFileSync(
        own,
        (map?.data?.['config.yaml'] ?? '').replace('/etc/plimsoll/policies', `${root}config/policies`),
      );
      const at = args
        .slice(1)
        .map((word) => (word.startsWith('/etc/') ? own : word.replace(/^config/, `${root}config`)));
      const environment = Object.fromEntries(
        env.map(({ name: key, value, valueFrom }) => [key, value ?? `secret-${valueFrom?.secretKeyRef.key}`]),
      );
      const { code, stdout, stderr } = await beginIn(environment, 'print-config', ...at).ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      if (role === 'ingest') expect(stdout).toContain('bearer_tokens');
      if (name === 'full') expect(stdout).toContain('SCRAM-SHA-512');
      if (name === 'full') expect(stdout).toContain('policies/*.yaml');
    },
  );

  test('where nothing scales it, the number of pods is that of the values', () => {
    const scaled = ofKind('HorizontalPodAutoscaler').length;
    expect(scaled).toBe(name === 'full' ? 0 : 1);
    const replicas = ofKind('Deployment').map(({ spec }) => spec?.['replicas']);
    expect(replicas).toEqual(name === 'full' ? [3, 2, 3] : [undefined, 2, 2]);
  });
});

test.skipIf(promtool)('Prometheus takes the rules that the chart hands to its operator', () => {
  const rules = manifestsOf(rendered(programs, ...full())).filter(({ kind }) => kind === 'PrometheusRule');
  expect(rules.map(({ metadata }) => metadata.name)).toEqual([
    'agents-plimsoll-plimsoll-pipeline',
    'agents-plimsoll-refund-agent',
  ]);
  for (const { metadata, spec } of rules) {
    const file = join(folder, `${metadata.name}.yaml`);
    writeFileSync(file, stringify(spec));
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
    expect({ status, said: stdout + stderr }).toMatchObject({
      status: 0,
      said: expect.stringContaining('SUCCESS'),
    });
  }
  expect(readdirSync(join(folder, 'rules'))).toContain('refund-agent.rules.yaml');
});

/** The deployments in what was rendered. */
function deployments(text: string): readonly Manifest[] {
  return manifestsOf(text).filter(({ kind }) => kind === 'Deployment');
}

test('policies that change are read by the pods that run, which are not restarted for it', () => {
  const before = rendered(programs, '--set', 'policies.a=one');
  const after = rendered(programs, '--set', 'policies.a=two');
  expect(deployments(after)).toEqual(deployments(before));
  expect(deployments(rendered(programs, '--set', 'ingest.config.a=b'))).not.toEqual(
    deployments(rendered(programs)),
  );
});
