import type {
  CurrentRelease,
  OrderOutcome,
  RollbackOrder,
  TargetAdapter,
} from '../rollback/target-adapter.ts';

/** A target that only counts its orders: it runs a release until it is ordered to another one. */
export class PretendedTarget implements TargetAdapter {
  /** So an executor that does not know whether it gave an order has to look. */
  readonly isRepeatable = false;
  #release: string;
  #orders = 0;

  constructor(release: string) {
    this.#release = release;
  }

  /** How many orders came, whatever became of them. */
  get orders(): number {
    return this.#orders;
  }

  async current(): Promise<CurrentRelease> {
    return { kind: 'known', release: this.#release };
  }

  async rollBack({ from, to }: RollbackOrder): Promise<OrderOutcome> {
    this.#orders++;
    if (from !== this.#release) return { kind: 'moved', reason: `it runs ${this.#release}` };
    this.#release = to;
    return { kind: 'done', reason: `it runs ${to}` };
  }
}
