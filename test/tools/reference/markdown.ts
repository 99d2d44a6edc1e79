/**
 * What pages of the reference have in common. Pure.
 */

/** The first line of a page that is made of `source`. */
export function made(source: string): string {
  return `<!-- Made of ${source} by \`npm run docs:reference\`. Do not edit. -->\n`;
}

export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}
