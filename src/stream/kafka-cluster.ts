import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import {
  Connection,
  findCoordinatorV4,
  metadataV12,
  ResponseError,
  type ConnectionOptions,
} from '@platformatic/kafka';
import { faultCode, faultText } from './kafka-fault.ts';
import type { KafkaOptions, SaslOptions, TlsOptions } from './kafka-options.ts';

type ConnectionSettings = Pick<KafkaOptions, 'brokers' | 'sasl' | 'tls' | 'topic'>;
type Metadata = Awaited<ReturnType<typeof metadataV12.api.async>>;

const clientId = 'plimsoll';
const connectMs = 5000;
/** How long an answer may take: to a question that any broker can answer at once, and to others. */
const askMs = 3000;
const requestMs = 10_000;

/**
 * The brokers of a cluster, and who leads which partition of one topic. A broker answers the requests of a connection one
 * after another, and some wait: so whoever's requests may wait has a *lane*, which is a connection of its own to each broker.
 */
export class Cluster {
  readonly #settings: ConnectionSettings;
  readonly #connections = new Map<string, Promise<Connection>>();
  #options: ConnectionOptions = {};
  #metadata: Metadata | undefined;
  #refreshing: Promise<Metadata> | undefined;
  /** Counts up when a broker did not answer, so that another is asked. */
  #asked = 0;
  #closed = false;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
  }

  /** Reads the files of certificates; throws when one cannot be read. */
  open(): void {
    const { tls, sasl } = this.#settings;
    this.#options = { connectTimeout: connectMs, ...tlsOf(tls), ...saslOf(sasl) };
  }

  /** What the cluster says of itself and of the topic, asked now. Calls made meanwhile get the same answer. */
  async refresh(): Promise<Metadata> {
    this.#refreshing ??= this.#describe().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  async #describe(): Promise<Metadata> {
    const topics = [this.#settings.topic];
    try {
      this.#metadata = await this.ask((connection) =>
        metadataV12.api.async(connection, topics, false, false),
      );
    } catch (error) {
      // A partition without a leader makes an error of an answer that tells the leaders of the others.
      if (!(error instanceof ResponseError) || faultCode(error) !== 'LEADER_NOT_AVAILABLE') throw error;
      this.#metadata = error['response'] as Metadata; // oxlint-disable-line typescript/no-unsafe-type-assertion -- what the same call answers when all is well
    }
    return this.#metadata;
  }

  /** The id of the topic as last heard; another one when the topic was created anew. */
  get topicId(): string | undefined {
    return this.#metadata?.topics[0]?.topicId;
  }

  /** A connection to the leader of `partition`; rejects when none is known, and asks anew for the next time. */
  async leader(partition: number, lane: string, patienceMs = requestMs): Promise<Connection> {
    const metadata = this.#metadata ?? (await this.refresh());
    const found = metadata.topics[0]?.partitions.find(({ partitionIndex }) => partitionIndex === partition);
    const broker = metadata.brokers.find(({ nodeId }) => nodeId === found?.leaderId);
    if (!broker) throw new Error(`partition ${partition} of ${this.#settings.topic} has no leader`);
    return this.#connection(lane, `${broker.host}:${broker.port}`, patienceMs);
  }

  /** A connection to the broker that coordinates the consumer group `group`. */
  async coordinator(group: string, lane: string, patienceMs = requestMs): Promise<Connection> {
    const answer = await this.ask((connection) => findCoordinatorV4.api.async(connection, 0, [group]));
    const [found] = answer.coordinators;
    if (!found) throw new Error(`the group ${group} has no coordinator`);
    return this.#connection(lane, `${found.host}:${found.port}`, patienceMs);
  }

  /** What the broker `nodeId` answers; any, if that one is not known. */
  async askBroker<T>(nodeId: number, question: (connection: Connection) => Promise<T>): Promise<T> {
    const found = this.#metadata?.brokers.find((broker) => broker.nodeId === nodeId);
    if (!found) return this.ask(question);
    return question(await this.#connection('ask', `${found.host}:${found.port}`, askMs));
  }

  /** What the first broker to answer says. One that is down or hangs is passed over, now and the next time. */
  async ask<T>(question: (connection: Connection) => Promise<T>, patienceMs = askMs): Promise<T> {
    const known = this.#metadata?.brokers.map(({ host, port }) => `${host}:${port}`) ?? [];
    const addresses = [...new Set([...known, ...this.#settings.brokers])];
    let fault: unknown;
    for (let tries = 0; tries < addresses.length; tries++) {
      const address = addresses[this.#asked % addresses.length] ?? '';
      try {
        return await question(await this.#connection(`ask ${patienceMs}`, address, patienceMs));
      } catch (error) {
        if (faultCode(error) !== undefined) throw error;
        fault ??= error;
        this.#asked++;
      }
    }
    const brokers = this.#settings.brokers.join();
    throw new Error(`no broker of ${brokers} can be reached: ${faultText(fault)}`, { cause: fault });
  }

  /** Ends the connections of a lane; what waits for an answer there fails. */
  closeLane(lane: string): void {
    for (const [key, connection] of this.#connections) {
      if (key.startsWith(`${lane} `)) this.#end(key, connection);
    }
  }

  /** Ends every connection, for good. */
  close(): void {
    this.#closed = true;
    for (const [key, connection] of this.#connections) this.#end(key, connection);
  }

  #end(key: string, connection: Promise<Connection>): void {
    this.#connections.delete(key);
    connection.then((open) => open.socket.destroy()).catch(() => undefined); // it never opened
  }

  #connection(lane: string, address: string, patienceMs: number): Promise<Connection> {
    const key = `${lane} ${address}`;
    const open = this.#connections.get(key);
    if (open) return open;
    if (this.#closed) return Promise.reject(new Error('the stream is stopped'));
    const opening = this.#connect(address, patienceMs, () => {
      if (this.#connections.get(key) === opening) this.#connections.delete(key);
    });
    this.#connections.set(key, opening);
    return opening;
  }

  async #connect(address: string, patienceMs: number, onEnd: () => void): Promise<Connection> {
    const at = address.lastIndexOf(':');
    const host = address.slice(0, at);
    const connection = new Connection(clientId, {
      ...this.#options,
      requestTimeout: patienceMs,
      tlsServerName: isIP(host) === 0, // an address is no name that TLS could ask for
    });
    connection.on('error', onEnd);
    connection.on('close', onEnd);
    try {
      await connection.connect(host, Number(address.slice(at + 1)));
    } catch (error) {
      onEnd();
      throw error;
    }
    return connection;
  }
}

function tlsOf(tls: TlsOptions | undefined): ConnectionOptions {
  if (!tls) return {};
  const { caFile, certFile, keyFile } = tls;
  return {
    tls: {
      ...(caFile !== undefined && { ca: readFileSync(caFile) }),
      ...(certFile !== undefined && { cert: readFileSync(certFile) }),
      ...(keyFile !== undefined && { key: readFileSync(keyFile) }),
    },
  };
}

function saslOf(sasl: SaslOptions | undefined): ConnectionOptions {
  if (!sasl) return {};
  if (sasl.mechanism === 'OAUTHBEARER') {
    const { mechanism, tokenFile } = sasl;
    return { sasl: { mechanism, token: () => readFileSync(tokenFile, 'utf8').trim() } };
  }
  const { mechanism, username, password } = sasl;
  return { sasl: { mechanism, username, password: () => password.reveal() } };
}
