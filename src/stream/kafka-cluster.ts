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
import type { KafkaOptions, TlsOptions } from './kafka-options.ts';
import { saslOf } from './kafka-sasl.ts';

type ConnectionSettings = Pick<KafkaOptions, 'brokers' | 'sasl' | 'tls' | 'topic'>;
type Metadata = Awaited<ReturnType<typeof metadataV12.api.async>>;

const clientId = 'plimsoll';
const connectMs = 5000;
/** How long an answer may take: to a question that any broker can answer at once, and to others. */
const askMs = 3000;
const requestMs = 10_000;
/** A broker that did not answer is asked after all others for so long. */
const silentMs = 30_000;
const unknownTopic = 3;

/** A topic as a broker tells of it. */
export interface HeardTopic {
  readonly id: string;
  readonly partitions: number;
}

interface Link {
  readonly opening: Promise<Connection>;
  /** Ends it, also while it opens; what waits for an answer fails. */
  end(): void;
}

/**
 * The brokers of a cluster, and who leads which partition of one topic. A broker answers the requests of a connection one
 * after another, and some wait: so whoever's requests may wait has a *lane*, which is a connection of its own to each broker.
 */
export class Cluster {
  readonly #settings: ConnectionSettings;
  readonly #links = new Map<string, Link>();
  #options: ConnectionOptions = {};
  #metadata: Metadata | undefined;
  #refreshing: Promise<Metadata> | undefined;
  /** Until when an address is asked last, in ms of `performance.now()`. */
  readonly #silentUntilMs = new Map<string, number>();
  /** Counts up with every question, so that one broker that is cut off from the others is not the only one asked. */
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

  /**
   * What the cluster says of itself and of the topic, asked now. Calls made meanwhile get the same answer. The leader of
   * `hung`, a partition, did not answer: others are asked first.
   */
  async refresh(hung?: number): Promise<Metadata> {
    const address = hung === undefined ? undefined : this.#leaderOf(hung);
    if (address !== undefined) this.#passOver(address);
    this.#refreshing ??= this.#describe().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  async #describe(): Promise<Metadata> {
    const topics = [this.#settings.topic];
    try {
      return this.#believe(
        await this.ask((connection) => metadataV12.api.async(connection, topics, false, false)),
      );
    } catch (error) {
      if (!(error instanceof ResponseError)) throw error;
      const answer = error['response'] as Metadata; // oxlint-disable-line typescript/no-unsafe-type-assertion -- what the same call answers when all is well
      const code = answer.topics[0]?.errorCode;
      // One partition without a leader makes an error of an answer that tells the leaders of the others.
      if (code === 0) return this.#believe(answer);
      if (code === unknownTopic) this.#metadata = answer;
      throw error;
    }
  }

  /** Keeps what was heard, unless it is older than what is known: a broker that was cut off or hung tells of what was before. */
  #believe(heard: Metadata): Metadata {
    const known = this.#metadata;
    const believed = known && isOlder(heard, known) ? known : heard;
    this.#metadata = believed;
    return believed;
  }

  /** The topic as last heard; undefined when there was none. */
  get topic(): HeardTopic | undefined {
    const topic = this.#metadata?.topics[0];
    if (topic?.errorCode !== 0) return undefined;
    return { id: topic.topicId, partitions: topic.partitions.length };
  }

  /** A connection to the leader of `partition`; rejects when none is known, and asks anew for the next time. */
  async leader(partition: number, lane: string, patienceMs = requestMs): Promise<Connection> {
    if (!this.#metadata) await this.refresh();
    const address = this.#leaderOf(partition);
    if (address === undefined)
      throw new Error(`partition ${partition} of ${this.#settings.topic} has no leader`);
    return this.#connection(lane, address, patienceMs);
  }

  #leaderOf(partition: number): string | undefined {
    const { topics, brokers } = this.#metadata ?? { topics: [], brokers: [] };
    const found = topics[0]?.partitions.find(({ partitionIndex }) => partitionIndex === partition);
    const broker = brokers.find(({ nodeId }) => nodeId === found?.leaderId);
    return broker && `${broker.host}:${broker.port}`;
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

  /** What the first broker to answer says. One that is down or hangs is passed over, now and for a while. */
  async ask<T>(question: (connection: Connection) => Promise<T>, patienceMs = askMs): Promise<T> {
    let fault: unknown;
    for (const address of this.#inTurn()) {
      try {
        return await question(await this.#connection(`ask ${patienceMs}`, address, patienceMs));
      } catch (error) {
        if (faultCode(error) !== undefined) throw error;
        fault ??= error;
        this.#passOver(address);
      }
    }
    const brokers = this.#settings.brokers.join();
    throw new Error(`no broker of ${brokers} can be reached: ${faultText(fault)}`, { cause: fault });
  }

  /** Whom to ask: another first than the last time, and those that were silent lately last. */
  #inTurn(): readonly string[] {
    const known = this.#metadata?.brokers.map(({ host, port }) => `${host}:${port}`) ?? [];
    const addresses = [...new Set([...known, ...this.#settings.brokers])];
    const first = this.#asked++ % addresses.length;
    const nowMs = performance.now();
    const isSilent = (address: string): boolean => (this.#silentUntilMs.get(address) ?? 0) > nowMs;
    return [...addresses.slice(first), ...addresses.slice(0, first)].toSorted(
      (a, b) => Number(isSilent(a)) - Number(isSilent(b)),
    );
  }

  #passOver(address: string): void {
    this.#silentUntilMs.set(address, performance.now() + silentMs);
  }

  /** Ends the connections of a lane; what waits for an answer there fails. */
  closeLane(lane: string): void {
    for (const [key, link] of this.#links) if (key.startsWith(`${lane} `)) link.end();
  }

  /** Ends every connection, for good. */
  close(): void {
    this.#closed = true;
    for (const link of this.#links.values()) link.end();
  }

  async #connection(lane: string, address: string, patienceMs: number): Promise<Connection> {
    const key = `${lane} ${address}`;
    const open = this.#links.get(key);
    if (open) return open.opening;
    if (this.#closed) throw new Error('the stream is stopped');
    const link = this.#link(key, address, patienceMs);
    this.#links.set(key, link);
    return link.opening;
  }

  #link(key: string, address: string, patienceMs: number): Link {
    const at = address.lastIndexOf(':');
    const host = address.slice(0, at);
    const connection = new Connection(clientId, {
      ...this.#options,
      requestTimeout: patienceMs,
      tlsServerName: isIP(host) === 0, // an address is no name that TLS could ask for
    });
    const end = (): void => {
      if (this.#links.get(key) === link) this.#links.delete(key);
      connection.close(() => undefined); // ends its timers too
      connection.socket?.destroy();
    };
    connection.on('error', end);
    connection.on('close', end);
    const opening = (async () => {
      try {
        await connection.connect(host, Number(address.slice(at + 1)));
        return connection;
      } catch (error) {
        end();
        throw error;
      }
    })();
    opening.catch(() => undefined); // told to whoever waits for it; nobody may
    const link = { opening, end };
    return link;
  }
}

/**
 * Whether `heard` tells of an earlier state of the topic than `known`: an epoch begins with each leader of a partition and
 * is never used again (KIP-320). Who leads no longer would miss what was appended since, and say it is out of order.
 */
function isOlder(heard: Metadata, known: Metadata): boolean {
  const [now] = heard.topics;
  const [before] = known.topics;
  if (now?.topicId !== before?.topicId) return false; // created anew, with epochs of its own
  const epochs = new Map(before?.partitions.map((each) => [each.partitionIndex, each.leaderEpoch]));
  return now?.partitions.some((each) => each.leaderEpoch < (epochs.get(each.partitionIndex) ?? -1)) ?? false;
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
