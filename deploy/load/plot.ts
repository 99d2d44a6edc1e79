/**
 * Line plots as inline SVG: no script, no external resource. Pure.
 */

export interface Line {
  readonly name: string;
  /** A CSS class that gives the colour. */
  readonly tone: 'a' | 'b' | 'c' | 'd';
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly dashed?: boolean;
}

export interface Plot {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly lines: readonly Line[];
  /** Marks of the x axis: where, and what is written there. */
  readonly xMarks: readonly (readonly [x: number, text: string])[];
}

const width = 640;
const height = 260;
const left = 58;
const right = 30;
const top = 14;
const bottom = 40;

export function plotSvg({ title, xLabel, yLabel, lines, xMarks }: Plot): string {
  const points = lines.flatMap((line) => line.points);
  const xs = [...points.map(([x]) => x), ...xMarks.map(([x]) => x)];
  const [xMin, xMax] = [Math.min(...xs), Math.max(...xs)];
  const yMax = niceCeiling(Math.max(0.001, ...points.map(([, y]) => y)));
  const xAt = (x: number): number =>
    left + ((x - xMin) / (xMax - xMin || 1)) * (width - left - right);
  const yAt = (y: number): number => height - bottom - (y / yMax) * (height - top - bottom);
  const yMarks = [0, 0.25, 0.5, 0.75, 1].map((share) => share * yMax);
  const grid = yMarks.map(
    (y) =>
      `<line class="grid" x1="${left}" x2="${width - right}" y1="${round(yAt(y))}" y2="${round(yAt(y))}"/>`,
  );
  const yTexts = yMarks.map(
    (y) =>
      `<text class="tick" x="${left - 8}" y="${round(yAt(y) + 4)}" text-anchor="end">${short(y)}</text>`,
  );
  const xTexts = xMarks.map(
    ([x, text]) =>
      `<text class="tick" x="${round(xAt(x))}" y="${height - bottom + 18}" text-anchor="middle">${escape(text)}</text>`,
  );
  const paths = lines.map(({ points: own, tone, dashed }) => {
    const d = own
      .map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${round(xAt(x))} ${round(yAt(y))}`)
      .join('');
    return `<path class="line ${tone}${dashed === true ? ' dashed' : ''}" d="${d}"/>`;
  });
  const legend = lines
    .map(({ name, tone }) => `<li><span class="swatch ${tone}"></span>${escape(name)}</li>`)
    .join('');
  return `<figure><figcaption>${escape(title)}</figcaption><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}">${grid.join('')}${yTexts.join('')}${xTexts.join('')}${paths.join('')}<text class="axis" x="${(left + width - right) / 2}" y="${height - 4}" text-anchor="middle">${escape(xLabel)}</text><text class="axis" transform="translate(12 ${(height - bottom + top) / 2}) rotate(-90)" text-anchor="middle">${escape(yLabel)}</text></svg><ul class="legend">${legend}</ul></figure>`;
}

/** Text for HTML and SVG, in elements and attributes. */
export function escape(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replaceAll(/[&<>"']/g, (character) => names[character] ?? character);
}

/** The next of 1, 2, 4, 5, 10 times a power of ten. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].map((step) => step * power).find((step) => step >= value) ?? 10 * power;
}

function short(value: number): string {
  if (value >= 10_000) return `${Math.round(value / 1_000)}k`;
  return String(Math.round(value * 1_000) / 1_000);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
