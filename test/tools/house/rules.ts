/**
 * Measures that are counted in syntax trees: what should be written once, in one table, or not at
 * all.
 */
import { type Node, SyntaxKind } from 'typescript/unstable/ast';
import { isExample, isInTests, lineAt, nameOf, type Source, stringOf, walk } from './sources.ts';

/** Where something was found. */
export interface Place {
  readonly path: string;
  readonly line: number;
  readonly what: string;
}

const productOf = (sources: readonly Source[]): readonly Source[] =>
  sources.filter((source) => !isInTests(source));

function placesIn(
  sources: readonly Source[],
  whatOf: (node: Node, source: Source) => string | undefined,
): Place[] {
  const places: Place[] = [];
  for (const source of sources) {
    walk(source.tree, (node) => {
      const what = whatOf(node, source);
      if (what === undefined) return;
      places.push({ path: source.path, line: lineAt(source, node.getStart()), what });
    });
  }
  return places;
}

function labelsOf(node: Node): readonly (string | undefined)[] {
  const labels: (string | undefined)[] = [];
  node.forEachChild((child) => {
    if (child.kind === SyntaxKind.CaseBlock) {
      child.forEachChild((clause) => {
        labels.push(stringOf((clause as Node & { readonly expression?: Node }).expression));
      });
    }
    if (
      child.kind === SyntaxKind.PropertyAssignment ||
      child.kind === SyntaxKind.ShorthandPropertyAssignment
    )
      labels.push(nameOf((child as Node & { readonly name?: Node }).name));
  });
  return labels;
}

/**
 * Switches and tables (objects with a property each) outside `registry` that have a branch for at
 * least half of the kinds of a topology's nodes: in each of them a new kind can be forgotten.
 */
export function kindSwitches(
  kinds: readonly string[],
  registry: readonly string[],
  sources: readonly Source[],
): Place[] {
  const outside = productOf(sources).filter(
    ({ path }) => !registry.some((folder) => path.startsWith(folder)),
  );
  return placesIn(outside, (node) => {
    if (
      node.kind !== SyntaxKind.SwitchStatement &&
      node.kind !== SyntaxKind.ObjectLiteralExpression
    )
      return undefined;
    const labels = labelsOf(node);
    const named = kinds.filter((kind) => labels.includes(kind));
    return named.length * 2 >= kinds.length ? `${named.length} kinds` : undefined;
  });
}

/** Packages of vendors that more than one folder of the product imports (types aside). */
export function vendorRooms(
  vendors: readonly string[],
  sources: readonly Source[],
): { readonly vendor: string; readonly rooms: readonly string[] }[] {
  const rooms = new Map<string, Set<string>>(vendors.map((vendor) => [vendor, new Set()]));
  for (const { path, tree } of productOf(sources)) {
    walk(tree, (node) => {
      const vendor = valueImport(node);
      if (vendor === undefined) return;
      rooms.get(vendor)?.add(path.slice(0, path.lastIndexOf('/')));
    });
  }
  return [...rooms]
    .filter(([, folders]) => folders.size > 1)
    .map(([vendor, folders]) => ({ vendor, rooms: [...folders].sort() }));
}

/** What an import declaration or an `import()` loads at run time. */
function valueImport(node: Node): string | undefined {
  if (node.kind === SyntaxKind.ImportDeclaration) {
    const { importClause, moduleSpecifier } = node as Node & {
      readonly importClause?: Node & { readonly phaseModifier?: SyntaxKind };
      readonly moduleSpecifier: Node;
    };
    const isTypeOnly = importClause?.phaseModifier === SyntaxKind.TypeKeyword;
    return isTypeOnly ? undefined : stringOf(moduleSpecifier);
  }
  if (node.kind !== SyntaxKind.CallExpression) return undefined;
  const { expression, arguments: args } = node as Node & {
    readonly expression: Node;
    readonly arguments: readonly Node[];
  };
  return expression.kind === SyntaxKind.ImportKeyword ? stringOf(args[0]) : undefined;
}

/** Files that write or read the escapes of a JSON pointer (`~0`, `~1`) themselves. */
export function pointerFiles(sources: readonly Source[]): string[] {
  const places = placesIn(productOf(sources), (node) => {
    const text =
      stringOf(node) ??
      (node.kind === SyntaxKind.RegularExpressionLiteral ? node.getText() : undefined);
    return text !== undefined && /^(?:\/)?\^?~(?:[01]|\[01\]|\(\?!)/.test(text) ? text : undefined;
  });
  return [...new Set(places.map(({ path }) => path))];
}

const kebab = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/**
 * Codes that are written where something fails and are not in `table`: the first argument of
 * `SluiceError`, and the `code` of an object. Codes of other systems (`ENOENT`) are not kebab-case.
 */
export function codesOutside(table: ReadonlySet<string>, sources: readonly Source[]): Place[] {
  const written = productOf(sources).filter((source) => !isExample(source));
  return placesIn(written, (node) => {
    const code = stringOf(codeNode(node));
    return code === undefined || !kebab.test(code) || table.has(code) ? undefined : code;
  });
}

function codeNode(node: Node): Node | undefined {
  if (node.kind === SyntaxKind.NewExpression) {
    const { expression, arguments: args } = node as Node & {
      readonly expression: Node;
      readonly arguments?: readonly Node[];
    };
    return nameOf(expression) === 'SluiceError' ? args?.[0] : undefined;
  }
  if (node.kind !== SyntaxKind.PropertyAssignment) return undefined;
  const { name, initializer } = node as Node & {
    readonly name: Node;
    readonly initializer: Node;
  };
  return nameOf(name) === 'code' ? initializer : undefined;
}

const matchers = new Set([
  'toBe',
  'toContain',
  'toEqual',
  'toMatch',
  'toMatchObject',
  'toStrictEqual',
  'toThrow',
  'toThrowError',
]);
const spoken = new Set(['message', 'fix', 'expected']);

/**
 * Lines of tests that match what a failure says in words where its code or a field would do: prose
 * (a string or pattern with a space in it, or with `\s` in its place) that is the argument of
 * `toThrow`, or that stands for a `message`, `fix` or `expected`. What the test itself writes
 * elsewhere, as the failure that it plants, is not prose of the product.
 */
export function proseMatches(sources: readonly Source[]): Place[] {
  const tests = sources.filter(isInTests);
  const written = new Map<string, string[]>();
  const matched = placesIn(tests, (node, { path }) => {
    const isPattern = node.kind === SyntaxKind.RegularExpressionLiteral;
    const text =
      isPattern || node.kind === SyntaxKind.TemplateExpression
        ? node.getText().slice(1, -1)
        : stringOf(node);
    if (text === undefined || !hasWords(text, isPattern)) return undefined;
    if (isMatchedAsProse(node)) return text;
    written.set(path, [...(written.get(path) ?? []), text]);
    return undefined;
  });
  const isOwn = ({ path, what }: Place): boolean =>
    (written.get(path) ?? []).some((text) => text.includes(what));
  const lines = new Map(
    matched.filter((place) => !isOwn(place)).map((place) => [`${place.path}:${place.line}`, place]),
  );
  return [...lines.values()];
}

/** Two words: with a space between them, or with what a pattern has for one. */
const hasWords = (text: string, isPattern: boolean): boolean =>
  text.includes(' ') || (isPattern && /\w\\s[+*]?\w/.test(text));

/** Looks upwards from a text to the call of a matcher that it is given to. */
function isMatchedAsProse(text: Node): boolean {
  let isSpoken = false;
  let isField = false;
  for (let node = text; node.parent !== undefined; node = node.parent) {
    const { parent } = node;
    if (
      parent.kind === SyntaxKind.FunctionDeclaration ||
      parent.kind === SyntaxKind.ArrowFunction ||
      parent.kind === SyntaxKind.FunctionExpression
    )
      return false;
    if (parent.kind === SyntaxKind.PropertyAssignment) {
      isField = true;
      isSpoken ||= spoken.has(nameOf((parent as Node & { readonly name: Node }).name) ?? '');
    }
    if (parent.kind !== SyntaxKind.CallExpression) continue;
    const { expression } = parent as Node & { readonly expression: Node };
    if (expression !== node && nameOf(expression) === 'saying') return false;
    if (expression === node || expression.kind !== SyntaxKind.PropertyAccessExpression) continue;
    const matcher = nameOf((expression as Node & { readonly name: Node }).name) ?? '';
    if (!matchers.has(matcher)) continue;
    return isSpoken || (!isField && (matcher.startsWith('toThrow') || isAboutWords(expression)));
  }
  return false;
}

/**
 * Whether `expect(...)` is given something that ends in `.message`, `.fix` or `.expected`.
 * Names and numbers that test/said.ts takes out of one are no prose.
 */
function isAboutWords(matcher: Node): boolean {
  const words = /^expect(?:\.\w+)?\(([\s\S]*?)\)(?:\.(?:not|resolves|rejects))*\.\w+$/.exec(
    matcher.getText(),
  );
  const given = words?.[1]?.trim() ?? '';
  return /[.?](?:message|fix|expected)\)?$/.test(given) && !/^(?:names|numbers)In\(/.test(given);
}
