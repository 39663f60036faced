import { sparkline, splitBar, stackedColumns } from './charts.ts';
import type { Block, Cell, Document, Section, Split, Stacks, Table, Tile } from './document.ts';
import { escapeHtml as text } from './escape-html.ts';
import { style } from './html-style.ts';

/** The document as one page of HTML, which needs nothing else: no script, no font, no image from anywhere. */
export function htmlOf(document: Document): string {
  const { title, subtitle, warnings, tiles, sections, notes, stamp } = document;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${text(title)}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>${text(title)}</h1>
<p>${text(subtitle)}</p>
${warnings.map((warning) => `<p class="warning" role="note">${text(warning)}</p>\n`).join('')}</header>
<main>
${tiles.length === 0 ? '' : `<ul class="tiles">\n${tiles.map(tileHtml).join('\n')}\n</ul>\n`}${sectionsHtml(sections)}
</main>
<footer>
${notes.length === 0 ? '' : `<ul>\n${notes.map((note) => `<li>${text(note)}</li>`).join('\n')}\n</ul>\n`}<p class="stamp">${text(stamp)}</p>
</footer>
</body>
</html>
`;
}

/** So long a value needs smaller letters. */
const longCharacters = 10;

function tileHtml({ label, value, detail, comparison, tone, trend }: Tile): string {
  const classes = value.length > longCharacters ? 'value long' : 'value';
  return `<li><div class="label">${text(label)}</div><div class="${classes}">${text(value)}${sparkline(trend)}</div><div class="detail">${text(detail)}</div><div class="comparison ${tone}">${text(comparison)}</div></li>`;
}

/** Those that need no whole width stand in two columns, in turn, down to the next wide one. */
function sectionsHtml(sections: readonly Section[]): string {
  const groups: Section[][] = [];
  for (const section of sections) {
    const last = groups.at(-1);
    if (last && !section.isWide && !last[0]?.isWide) last.push(section);
    else groups.push([section]);
  }
  return groups
    .map((group) => (group[0]?.isWide ? group.map(sectionHtml).join('') : columnsHtml(group)))
    .join('\n');
}

function columnsHtml(sections: readonly Section[]): string {
  const columns = [0, 1].map((column) => sections.filter((_, index) => index % 2 === column));
  return `<div class="columns">\n${columns.map((column) => `<div>\n${column.map(sectionHtml).join('\n')}\n</div>`).join('\n')}\n</div>`;
}

function sectionHtml({ heading, isWide, blocks }: Section): string {
  const open = isWide ? '<section class="wide">' : '<section>';
  return `${open}\n<h2>${text(heading)}</h2>\n${blocks.map(blockHtml).join('\n')}\n</section>`;
}

function blockHtml(block: Block): string {
  switch (block.kind) {
    case 'table':
      return tableHtml(block);
    case 'split':
      return splitHtml(block);
    case 'stacks':
      return stacksHtml(block);
    case 'words':
  }
  return `<p class="${block.tone ?? 'plain'}">${text(block.text)}</p>`;
}

/** Tables of more columns may need to be scrolled, also by the keyboard. */
const mostColumns = 5;

function tableHtml({ caption, columns, rows, hasSum = false }: Table): string {
  const classOf = (index: number): string => (columns[index]?.isNumber ? ' class="number"' : '');
  const head = columns.map(({ header }, index) => `<th scope="col"${classOf(index)}>${text(header)}</th>`);
  const body = rows.map((cells, rowIndex) => {
    const [name, ...others] = cells.map(cellHtml);
    const data = others.map((cell, index) => `<td${classOf(index + 1)}>${cell}</td>`);
    return `<tr${hasSum && rowIndex === rows.length - 1 ? ' class="sum"' : ''}><th scope="row">${name}</th>${data.join('')}</tr>`;
  });
  const scroll =
    columns.length > mostColumns
      ? `<div class="scroll" tabindex="0" role="region" aria-label="${text(caption)}">`
      : '<div class="scroll">';
  return `${scroll}<table>
<caption>${text(caption)}</caption>
<thead><tr>${head.join('')}</tr></thead>
<tbody>
${body.join('\n')}
</tbody>
</table></div>`;
}

const barPixels = 60;

function cellHtml({ text: said, detail, tone, trend, share }: Cell): string {
  const coloured =
    tone === undefined || tone === 'plain' ? text(said) : `<span class="${tone}">${text(said)}</span>`;
  const bar =
    share === undefined ? '' : `<span class="bar" style="width:${(share * barPixels).toFixed(1)}px"></span>`;
  const small =
    detail === undefined || detail === ''
      ? ''
      : `<small${tone === 'bad' ? ' class="bad"' : ''}>${text(detail)}</small>`;
  return coloured + bar + (trend ? sparkline(trend) : '') + small;
}

function legend(kind: string, entries: readonly string[]): string {
  const items = entries.map(
    (entry, index) =>
      `<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="${kind}${index}" width="10" height="10"/></svg>${text(entry)}</li>`,
  );
  return `<ul class="legend">${items.join('')}</ul>`;
}

function splitHtml(split: Split): string {
  const entries = split.parts.map(({ label, text: said }) => `${label}: ${said}`);
  return `${splitBar(split)}\n${legend('part', entries)}`;
}

function stacksHtml(stacks: Stacks): string {
  const entries = stacks.layers.map(({ label, values }) => `${label}: ${values.at(-1) ?? 0}`);
  return `${stackedColumns(stacks)}\n${legend('layer', entries)}`;
}
