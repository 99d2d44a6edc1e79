/**
 * The table of codes and the code that uses them say the same, and the page of codes is made of the
 * table as it is.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Node, SyntaxKind } from 'typescript/unstable/ast';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, errorCodes, type Lane } from '../../schemas/kernel/error-codes.ts';
import { root } from '../repo/files.ts';
import { errorPage, renderErrorPage } from '../tools/error-page.ts';
import { codesOutside } from '../tools/house/rules.ts';
import {
  isInTests,
  nameOf,
  type Source,
  stringOf,
  walk,
  withSources,
} from '../tools/house/sources.ts';

const tables = ['schemas/kernel/codes/', 'schemas/sinks/'];
const codes = new Set(errorCodes.map(({ code }) => code));

interface Said {
  /** Every string of the product, without those of the tables. */
  readonly strings: ReadonlySet<string>;
  /** What code says of a code beside it: a status, or whether trying again can help. */
  readonly claims: readonly string[];
  readonly outside: readonly string[];
}

const entryOf = (lane: Lane, code: string): ErrorCode | undefined =>
  errorCodes.find((entry) => entry.lane === lane && entry.code === code);

function propertiesOf(object: Node | undefined): Map<string, Node> {
  const found = new Map<string, Node>();
  object?.forEachChild((property) => {
    const { name, initializer } = property as Node & {
      readonly name?: Node;
      readonly initializer?: Node;
    };
    if (initializer !== undefined) found.set(nameOf(name) ?? '', initializer);
  });
  return found;
}

/** What is wrong with a refusal's status, or undefined. */
function statusClaim(node: Node): string | undefined {
  if (node.kind !== SyntaxKind.ObjectLiteralExpression) return undefined;
  const properties = propertiesOf(node);
  const code = stringOf(properties.get('code'));
  const status = properties.get('status');
  if (code === undefined || status?.kind !== SyntaxKind.NumericLiteral) return undefined;
  const documented = entryOf('refused', code)?.status ?? [];
  return documented.includes(Number(status.getText()))
    ? undefined
    : `${code}: status ${status.getText()}, documented: ${documented.join(', ')}`;
}

/** What is wrong with whether a fault may pass, or undefined. */
function retryClaim(node: Node): string | undefined {
  if (node.kind !== SyntaxKind.NewExpression) return undefined;
  const { expression, arguments: args } = node as Node & {
    readonly expression: Node;
    readonly arguments?: readonly Node[];
  };
  const code = stringOf(args?.[0]);
  const options = args?.[2];
  if (nameOf(expression) !== 'SluiceError' || code === undefined) return undefined;
  if (options !== undefined && options.kind !== SyntaxKind.ObjectLiteralExpression)
    return undefined;
  const said = propertiesOf(options).get('retryable')?.getText() ?? 'false';
  const documented = String(entryOf('operational', code)?.retryable);
  return documented === 'sometimes' || documented === said
    ? undefined
    : `${code}: retryable ${said}, documented: ${documented}`;
}

function saidBy(sources: readonly Source[]): Said {
  const strings = new Set<string>();
  const claims: string[] = [];
  const product = sources.filter(
    (source) => !isInTests(source) && !tables.some((folder) => source.path.startsWith(folder)),
  );
  for (const { path, tree } of product) {
    walk(tree, (node) => {
      const text = stringOf(node) ?? (isNameOfProperty(node) ? nameOf(node) : undefined);
      if (text !== undefined) strings.add(text);
      const claim = statusClaim(node) ?? retryClaim(node);
      if (claim !== undefined) claims.push(`${path}: ${claim}`);
    });
  }
  const outside = codesOutside(codes, product).map(({ path, what }) => `${path}: ${what}`);
  return { strings, claims, outside };
}

/** A code may also be the key of an object, as in the table of an answer's statuses. */
function isNameOfProperty(node: Node): boolean {
  return (
    node.parent?.kind === SyntaxKind.PropertyAssignment &&
    (node.parent as Node & { readonly name: Node }).name === node
  );
}

describe('the table of codes', () => {
  const said = withSources(root, saidBy);

  it('has every code that is used', () => {
    expect(said.outside).toEqual([]);
  });

  it('has no code that is not used', () => {
    expect([...codes].filter((code) => !said.strings.has(code))).toEqual([]);
    expect(codes.size).toBeGreaterThan(200);
  });

  it('says of statuses and of trying again what the code says', () => {
    expect(said.claims).toEqual([]);
  });

  it('names codes in kebab-case, once in a lane', () => {
    const names = errorCodes.map(({ lane, code }) => `${lane} ${code}`);
    expect(new Set(names).size).toBe(names.length);
    expect([...codes].filter((code) => !/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(code))).toEqual([]);
  });

  it('says of each code in sentences what it means and what to do', () => {
    const sentence = /^(?:[A-Z`].*[.)]|`.*`\.)$/;
    expect(
      errorCodes
        .filter(({ means, fix }) => !sentence.test(means) || !sentence.test(fix))
        .map(({ code }) => code),
    ).toEqual([]);
  });

  it('the page of codes is as the table is, with an anchor for each', () => {
    const page = readFileSync(join(root, errorPage), 'utf8');
    expect(page, 'run npm run docs:reference').toBe(renderErrorPage());
    for (const { page: place } of errorCodes)
      expect(page).toContain(`<a id="${place.slice(place.indexOf('#') + 1)}"></a>`);
  });
});
