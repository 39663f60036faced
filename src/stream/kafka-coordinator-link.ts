import type { Connection } from '@platformatic/kafka';
import type { Cluster } from './kafka-cluster.ts';

/** A connection to whichever broker coordinates a consumer group. */
export class CoordinatorLink {
  readonly #cluster: Cluster;
  readonly #group: string;
  readonly #lane: string;
  readonly #patienceMs: number;
  #connection: Connection | undefined;

  /** Requests over it are answered within `patienceMs`, or fail. */
  constructor(cluster: Cluster, group: string, lane: string, patienceMs: number) {
    this.#cluster = cluster;
    this.#group = group;
    this.#lane = lane;
    this.#patienceMs = patienceMs;
  }

  /** The connection; asks who coordinates the group when it is gone. */
  async get(): Promise<Connection> {
    if (!this.#connection?.isConnected())
      this.#connection = await this.#cluster.coordinator(this.#group, this.#lane, this.#patienceMs);
    return this.#connection;
  }

  /** Another broker may coordinate the group by now. */
  forget(): void {
    this.#connection = undefined;
  }
}
