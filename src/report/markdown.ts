import type { Block, Cell, Document, Section, Stacks, Table, Tile } from './document.ts';

/** The document as Markdown (GitHub's), in which nothing that senders wrote means anything. */
export function markdownOf(document: Document): string {
  const { title, subtitle, warnings, tiles, sections, notes, stamp } = document;
  const parts = [
    `# ${text(title)}`,
    text(subtitle),
    ...warnings.map((warning) => `> **Mind:** ${text(warning)}`),
    ...(tiles.length === 0 ? [] : [tiles.map(tileLine).join('\n')]),
    ...sections.map(sectionText),
    ...(notes.length === 0 ? [] : [`## Notes\n\n${notes.map((note) => `- ${text(note)}`).join('\n')}`]),
    text(stamp),
  ];
  return `${parts.join('\n\n')}\n`;
}

/** `said` on one line, with a backslash before everything that Markdown or HTML would take for its own. */
function text(said: string): string {
  return said
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .replaceAll(/[\\`*_[\]<>#|~&@$]|:(?=\/)|(?<=www)\./gi, String.raw`\$&`)
    .replace(/^(\d+)([.)])(?=\s|$)/, String.raw`$1\$2`)
    .replace(/^[-+=]/, String.raw`\$&`);
}

function tileLine({ label, value, detail, comparison }: Tile): string {
  return `- **${text(label)}: ${text(value)}** (${text(detail)}); ${text(comparison)}`;
}

function sectionText({ heading, blocks }: Section): string {
  return [`## ${text(heading)}`, ...blocks.map(blockText)].join('\n\n');
}

function blockText(block: Block): string {
  switch (block.kind) {
    case 'table':
      return tableText(block);
    case 'split':
      return `${text(block.title)}:\n\n${block.parts.map(({ label, text: said }) => `- ${text(label)}: ${text(said)}`).join('\n')}`;
    case 'stacks':
      return tableText(stacksTable(block));
    case 'words':
  }
  return text(block.text);
}

function tableText({ caption, columns, rows }: Table): string {
  return [
    `${text(caption)}:`,
    '',
    line(columns.map(({ header }) => text(header))),
    line(columns.map(({ isNumber }) => (isNumber ? '---:' : '---'))),
    ...rows.map((row) => line(row.map(cellText))),
  ].join('\n');
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function cellText({ text: said, detail, trend }: Cell): string {
  const shown = said === '' && trend ? trend.title.replace(/^[^:]*: /, '') : said;
  return detail === undefined || detail === '' ? text(shown) : `${text(shown)} (${text(detail)})`;
}

function stacksTable({ title, labels, layers }: Stacks): Table {
  return {
    kind: 'table',
    caption: title,
    columns: [{ header: '' }, ...labels.map((header) => ({ header, isNumber: true }))],
    rows: layers.map(({ label, values }) => [
      { text: label },
      ...values.map((value) => ({ text: String(value) })),
    ]),
  };
}
