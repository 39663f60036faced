/** Whether something is as people want it. */
export type Tone = 'good' | 'bad' | 'plain';

/** A small chart of one figure by month; null where there is none. */
export interface Trend {
  /** What it shows, with its values: what is read aloud. */
  readonly title: string;
  readonly points: readonly (number | null)[];
}

/** A part of a whole, or a bar. */
interface Part {
  readonly label: string;
  readonly value: number;
  /** The value for people. */
  readonly text: string;
}

/** What stands in a place of a table. */
export interface Cell {
  readonly text: string;
  /** Smaller, below. */
  readonly detail?: string;
  readonly tone?: Tone;
  readonly trend?: Trend;
  /** A bar beside it, as a share from 0 to 1. */
  readonly share?: number;
}

/** A column of a table; numbers stand to the right. */
interface TableColumn {
  readonly header: string;
  readonly isNumber?: boolean;
}

/** Rows of cells under headers; the first column names the rows. */
export interface Table {
  readonly kind: 'table';
  readonly caption: string;
  readonly columns: readonly TableColumn[];
  readonly rows: readonly (readonly Cell[])[];
  /** Whether the last row is of all others together. */
  readonly hasSum?: boolean;
}

/** Parts of a whole beside each other, as one bar. */
export interface Split {
  readonly kind: 'split';
  readonly title: string;
  readonly parts: readonly Part[];
}

/** Columns of stacked parts, one for each month. */
export interface Stacks {
  readonly kind: 'stacks';
  readonly title: string;
  readonly labels: readonly string[];
  /** From the bottom to the top, with a value for each label. */
  readonly layers: readonly { readonly label: string; readonly values: readonly number[] }[];
}

/** A sentence or several. */
interface Words {
  readonly kind: 'words';
  readonly text: string;
  readonly tone?: Tone;
}

/** A piece of a section. */
export type Block = Table | Split | Stacks | Words;

/** Blocks under a heading. */
export interface Section {
  readonly heading: string;
  /** Whether it needs the width of the page. */
  readonly isWide?: boolean;
  readonly blocks: readonly Block[];
}

/** A figure that is seen first. */
export interface Tile {
  readonly label: string;
  readonly value: string;
  /** What it rests on. */
  readonly detail: string;
  /** How it moved. */
  readonly comparison: string;
  readonly tone: Tone;
  readonly trend: Trend;
}

/** A report as people read it, whatever it is written in. All text is plain and may come from senders. */
export interface Document {
  readonly title: string;
  readonly subtitle: string;
  /** What makes the whole of it doubtful. */
  readonly warnings: readonly string[];
  readonly tiles: readonly Tile[];
  readonly sections: readonly Section[];
  readonly notes: readonly string[];
  readonly stamp: string;
}
