/**
 * What a PromQL expression names: its selectors, and the labels that it groups and joins by.
 * https://prometheus.io/docs/prometheus/latest/querying/basics/
 */
export interface Matcher {
  readonly label: string;
  readonly operator: '=' | '!=' | '=~' | '!~';
  readonly value: string;
}

export interface Selector {
  readonly metric: string;
  readonly matchers: readonly Matcher[];
}

export interface Expression {
  readonly selectors: readonly Selector[];
  /** Of by, without, on, ignoring and the like. */
  readonly labels: readonly string[];
}

const listed = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^()]*)\)/g;
const words = new Set(['and', 'or', 'unless', 'bool', 'offset', 'by', 'without', 'on', 'ignoring']);
/** A name, what selects of it, and whether it is called. Strings, numbers, durations are no names. */
const token =
  /"(?:[^"\\]|\\.)*"|\[[^\]]*\]|\b\d[\w.]*|([A-Za-z_:][\w:]*)\s*(\{(?:[^}"]|"(?:[^"\\]|\\.)*")*\})?(\s*\()?/g;
const matcher = /(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"/g;

export function readExpression(text: string): Expression {
  const labels = [...text.matchAll(listed)].flatMap(([, list = '']) =>
    list
      .split(',')
      .map((label) => label.trim())
      .filter((label) => label !== ''),
  );
  const selectors = [...text.replace(listed, ' ').matchAll(token)].flatMap(
    ([, metric, braces = '', call]): readonly Selector[] =>
      metric === undefined || call !== undefined || words.has(metric)
        ? []
        : [{ metric, matchers: matchersOf(braces) }],
  );
  return { selectors, labels };
}

function matchersOf(braces: string): readonly Matcher[] {
  return [...braces.matchAll(matcher)].map(([, label = '', operator, value = '']) => ({
    label,
    operator: operator as Matcher['operator'],
    value: value.replace(/\\(.)/g, '$1'),
  }));
}

/** Whether a series with these labels is selected; one that is not there is an empty text. */
export function selects(
  matchers: readonly Matcher[],
  labels: Readonly<Record<string, string>>,
): boolean {
  return matchers.every(({ label, operator, value }) => {
    const has = labels[label] ?? '';
    if (operator === '=') return has === value;
    if (operator === '!=') return has !== value;
    const isMatch = new RegExp(`^(?:${value})$`).test(has);
    return operator === '=~' ? isMatch : !isMatch;
  });
}
