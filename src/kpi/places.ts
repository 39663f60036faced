import type { Held } from './rolling.ts';
import { Place, type Totals } from './totals.ts';

/** Where runs are counted, as plain data: of each run, which of the distinct places it has. */
export interface PlacesState {
  /** -1 for a run that is counted nowhere. */
  readonly of: Int32Array;
  /** Which series of runs counts it; -1 where that is forgotten. */
  readonly counted: Int32Array;
  /** Which of the saved `Held` holds it; -1 where none does. */
  readonly held: Int32Array;
}

type Counted = NonNullable<Place['counted']>;

/** What of `places` is a place, each once: of every run the number of its place, the places, and what windows hold. */
export function distinct(places: readonly unknown[]): {
  readonly of: Int32Array;
  readonly places: readonly Place[];
  readonly held: readonly Held[];
} {
  const of = new Int32Array(places.length).fill(-1);
  const found: Place[] = [];
  const held = new Set<Held>();
  for (let i = 0; i < places.length; i++) {
    const place = places[i];
    if (!(place instanceof Place)) continue;
    if (found[place.index] !== place) {
      place.index = found.length;
      found.push(place);
      if (place.held?.run.kept) held.add(place.held);
    }
    of[i] = place.index;
  }
  return { of, places: found, held: [...held] };
}

/** `places` by the numbers that their series, and what holds them, have in the state that is being saved. */
export function savePlaces(of: Int32Array, places: readonly Place[]): PlacesState {
  return {
    of,
    counted: Int32Array.from(places, ({ counted }) => counted?.index ?? -1),
    held: Int32Array.from(places, ({ held }) => (held?.run.kept ? held.index : -1)),
  };
}

/** The places that `savePlaces` was given, each run's again; undefined where there was none. */
export function restorePlaces(
  state: PlacesState,
  totals: Totals,
  counted: readonly Counted[],
  held: readonly Held[],
): unknown[] {
  const places = Array.from(state.counted, (series, i) =>
    totals.placeOf(counted[series], held[state.held[i]!]),
  );
  return Array.from(state.of, (place) => places[place]);
}
