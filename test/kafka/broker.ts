import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../free-ports.ts';
import { until } from '../until.ts';
import { kafkaJars } from './fetch.ts';

/** What a cluster may be made of. */
export interface ClusterOptions {
  readonly brokers?: 1 | 3;
  /** The port that clients are told instead of each broker's own, such as a proxy's; in the order of the brokers. */
  readonly advertisedPorts?: readonly number[];
  /** How clients connect; default PLAINTEXT. */
  readonly protocol?: 'PLAINTEXT' | 'SSL' | 'SASL_SSL';
  /** Users of SCRAM, as `StorageTool format --add-scram` takes them. */
  readonly scramUsers?: readonly string[];
  /** More of server.properties. */
  readonly properties?: Readonly<Record<string, string | number>>;
}

const host = '127.0.0.1';
const clusterId = 'UGxpbXNvbGxUZXN0Q2x1cw';
const javaOptions = ['-Xmx384m', '-Xms64m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];

/** One broker, that is also a controller. */
interface Node {
  readonly id: number;
  port: number;
  /** Where it talks with the other brokers, so that what stands before `port` does not stand between them. */
  readonly brokerPort: number;
  readonly controllerPort: number;
  readonly directory: string;
  process: ChildProcess | undefined;
}

/**
 * Apache Kafka in KRaft mode on 127.0.0.1, on ports and in a folder of its own. Brokers are numbered from 0 in the order of
 * `addresses`.
 */
export class KafkaCluster {
  readonly #nodes: readonly Node[];
  readonly #directory: string;
  readonly #jars: string;
  readonly #options: ClusterOptions;

  private constructor(nodes: readonly Node[], directory: string, jars: string, options: ClusterOptions) {
    this.#nodes = nodes;
    this.#directory = directory;
    this.#jars = jars;
    this.#options = options;
  }

  /** Starts a cluster; resolves when it takes requests. */
  static async start(options: ClusterOptions = {}): Promise<KafkaCluster> {
    const jars = await kafkaJars();
    const count = options.brokers ?? 1;
    const directory = mkdtempSync(join(tmpdir(), 'plimsoll-kafka-'));
    const ports = await freePorts(3 * count);
    const nodes = Array.from({ length: count }, (_, at) => ({
      id: at + 1,
      port: ports[at] ?? 0,
      brokerPort: ports[count + at] ?? 0,
      controllerPort: ports[2 * count + at] ?? 0,
      directory: join(directory, String(at + 1)),
      process: undefined,
    }));
    const cluster = new KafkaCluster(nodes, directory, jars, options);
    try {
      for (const node of nodes) cluster.#format(node);
      await Promise.all(nodes.map(async (_, at) => cluster.start(at)));
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** `host:port` of every broker, as a client is told. */
  get addresses(): readonly string[] {
    return this.#nodes.map(({ port }, at) => `${host}:${this.#options.advertisedPorts?.[at] ?? port}`);
  }

  /** Where broker `at` itself listens. */
  port(at: number): number {
    return this.#node(at).port;
  }

  /** Starts broker `at`, again if need be; resolves when it has joined the cluster. */
  async start(at: number): Promise<void> {
    const node = this.#node(at);
    const log = `${node.directory}.log`;
    writeFileSync(log, '');
    const output = openSync(log, 'a');
    node.process = spawn('java', [...this.#java(), 'kafka.Kafka', `${node.directory}.properties`], {
      stdio: ['ignore', output, output],
    });
    const exited = once(node.process, 'exit');
    await Promise.race([
      until(`broker ${at}`, () => readFileSync(log, 'utf8').includes('Kafka Server started'), 60_000),
      exited.then(() => {
        throw new Error(`broker ${at} ended: ${readFileSync(log, 'utf8').slice(-2000)}`);
      }),
    ]);
    await until(`the port of broker ${at}`, async () => listens(node.port));
  }

  /** Starts broker `at` again, elsewhere: it was ended before. */
  async move(at: number): Promise<void> {
    const node = this.#node(at);
    const [port = 0] = await freePorts(1);
    node.port = port;
    writeFileSync(`${node.directory}.properties`, this.#properties(node));
    await this.start(at);
  }

  /** Where broker `at` keeps its logs, a folder for each partition. */
  directory(at: number): string {
    return this.#node(at).directory;
  }

  /** Ends broker `at` at once, as a power cut would; what it had not flushed is in the page cache and survives. */
  async kill(at: number): Promise<void> {
    await ended(this.#node(at), 'SIGKILL');
  }

  /** Holds broker `at` still (SIGSTOP): connections stay open and nothing is answered until `wake`. */
  freeze(at: number): void {
    this.#node(at).process?.kill('SIGSTOP');
  }

  wake(at: number): void {
    this.#node(at).process?.kill('SIGCONT');
  }

  /** Ends every broker and removes its files. */
  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map(async (node) => ended(node, 'SIGKILL')));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #node(at: number): Node {
    const node = this.#nodes[at];
    if (!node) throw new Error(`the cluster has no broker ${at}`);
    return node;
  }

  #java(): string[] {
    const logging = [
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-Dorg.slf4j.simpleLogger.log.kafka.server=info',
    ];
    return [...javaOptions, ...logging, '-cp', join(this.#jars, '*')];
  }

  #format(node: Node): void {
    const file = `${node.directory}.properties`;
    writeFileSync(file, this.#properties(node));
    const users = (this.#options.scramUsers ?? []).flatMap((user) => ['--add-scram', user]);
    const { status, stdout, stderr } = spawnSync(
      'java',
      [...this.#java(), 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', file, ...users],
      { encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`the folder of a broker could not be formatted: ${stdout}${stderr}`);
  }

  #properties(node: Node): string {
    const copies = this.#nodes.length;
    const voters = this.#nodes.map(({ id, controllerPort }) => `${id}@${host}:${controllerPort}`);
    const advertised = this.#options.advertisedPorts?.[node.id - 1] ?? node.port;
    const properties = {
      'process.roles': 'broker,controller',
      'node.id': node.id,
      'controller.quorum.voters': voters.join(),
      listeners: `CLIENT://${host}:${node.port},BROKER://${host}:${node.brokerPort},CONTROLLER://${host}:${node.controllerPort}`,
      'advertised.listeners': `CLIENT://${host}:${advertised},BROKER://${host}:${node.brokerPort}`,
      'listener.security.protocol.map': `CLIENT:${this.#options.protocol ?? 'PLAINTEXT'},BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT`,
      'inter.broker.listener.name': 'BROKER',
      'controller.listener.names': 'CONTROLLER',
      'log.dirs': node.directory,
      'auto.create.topics.enable': false,
      'num.network.threads': 2,
      'num.io.threads': 4,
      'offsets.topic.num.partitions': 3,
      'offsets.topic.replication.factor': copies,
      'transaction.state.log.num.partitions': 1,
      'transaction.state.log.replication.factor': copies,
      'share.coordinator.state.topic.num.partitions': 1,
      'share.coordinator.state.topic.replication.factor': copies,
      'group.initial.rebalance.delay.ms': 0,
      'group.min.session.timeout.ms': 500,
      'broker.session.timeout.ms': 3000,
      'broker.heartbeat.interval.ms': 500,
      'log.retention.check.interval.ms': 500,
      'log.initial.task.delay.ms': 500,
      ...this.#options.properties,
    };
    return Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join('');
  }
}

async function ended(node: Node, signal: NodeJS.Signals): Promise<void> {
  const { process: child } = node;
  node.process = undefined;
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, host);
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}
