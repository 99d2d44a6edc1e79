/**
 * How many files adding one more part touches, measured by a part that is there: the places where
 * code names it are the places where the next one has to be named.
 *
 * Counted for a sample are
 * 1. each folder of the product with files of its own, as one;
 * 2. its test, as one;
 * 3. every other file of the product whose code names it: an identifier, a string or a path with
 *    the sample's words, compared word by word. Comments and prose do not count, nor a call of it
 *    as a method (`stream.deduplicate()`), which is a use;
 * 4. every other test and every page that lists the family: names three quarters of it (a page in
 *    the code of one section: names here and there on a long page are uses). Generated pages and
 *    what measures are left out.
 *
 * Of several samples the largest number counts.
 */
import { dirname } from 'node:path';
import { type Node, SyntaxKind } from 'typescript/unstable/ast';
import { isExample, isInTests, nameOf, type Source, walk } from './sources.ts';

export interface Family {
  readonly name: string;
  readonly wanted: number;
  /** All that is of this kind, as code writes it. */
  readonly members: readonly string[];
  readonly samples: readonly string[];
  /** Where naming a sample means declaring it; elsewhere it is a use. Default: everywhere. */
  readonly declaredIn?: readonly string[];
}

export interface Page {
  readonly path: string;
  readonly text: string;
}

export interface Touched {
  readonly sample: string;
  readonly files: readonly string[];
}

/** `intervalJoin`, `interval-join`, `IntervalJoinNode` -> `interval join ...` */
function wordsOf(name: string): string {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
  return ` ${words.join(' ')} `;
}

function isCalledAsMethod(node: Node): boolean {
  const access = node.parent;
  return (
    access?.kind === SyntaxKind.PropertyAccessExpression &&
    (access as Node & { readonly name: Node }).name === node &&
    access.parent.kind === SyntaxKind.CallExpression &&
    (access.parent as Node & { readonly expression: Node }).expression === access
  );
}

/** The names in the code of a file, as words; calls as methods and prose are left out. */
function namesIn(source: Source): Set<string> {
  const names = new Set<string>();
  walk(source.tree, (node) => {
    const name = nameOf(node);
    if (name === undefined || /\s/.test(name) || isCalledAsMethod(node)) return;
    names.add(wordsOf(name));
  });
  return names;
}

function lists(names: readonly string[], members: readonly string[]): boolean {
  const named = members.filter((member) => names.includes(wordsOf(member)));
  return named.length * 4 >= members.length * 3;
}

/** Pages made from tables say so at their top; they are written anew and not edited. */
const generated = /^(?:<!-- (?:generated|Made of)\b|# [^\n]*\n\nGenerated from\b)/;

function pageLists({ text }: Page, members: readonly string[]): boolean {
  if (generated.test(text)) return false;
  return text.split(/^(?=## )/m).some((section) => {
    const code = [...section.matchAll(/^[ \t]*```[\s\S]*?^[ \t]*```|`[^`\n]+`/gm)];
    return lists(
      code.flatMap(([span]) => [...span.matchAll(/\w+/g)].map(([name]) => wordsOf(name))),
      members,
    );
  });
}

const measures = 'test/tools/house/';

interface Named {
  readonly source: Source;
  readonly names: readonly string[];
}

function touchedBy(
  sample: string,
  { members, declaredIn = [''] }: Family,
  files: readonly Named[],
  pages: readonly Page[],
): Touched {
  const words = wordsOf(sample);
  const isOwn = ({ path }: Source): boolean => wordsOf(path).includes(words);
  const product = files.filter(
    ({ source }) =>
      !isInTests(source) &&
      !isExample(source) &&
      declaredIn.some((folder) => source.path.startsWith(folder)),
  );
  const own = product.filter(({ source }) => isOwn(source)).map(({ source }) => source.path);
  const naming = product.filter(
    ({ source, names }) => !isOwn(source) && names.some((name) => name.includes(words)),
  );
  const listing = files.filter(
    ({ source, names }) =>
      isInTests(source) &&
      !isOwn(source) &&
      !source.path.startsWith(measures) &&
      names.includes(words) &&
      lists(names, members),
  );
  return {
    sample,
    files: [
      ...new Set(own.map((path) => `${dirname(path)}/ (its own)`)),
      'its test',
      ...[...naming, ...listing].map(({ source }) => source.path),
      ...pages.filter((page) => pageLists(page, members)).map(({ path }) => path),
    ],
  };
}

/** Of each family the sample that touches most. */
export function touchedFiles(
  families: readonly Family[],
  sources: readonly Source[],
  pages: readonly Page[],
): { readonly family: Family; readonly touched: Touched }[] {
  const files = sources.map((source) => ({ source, names: [...namesIn(source)] }));
  return families.map((family) => {
    const [first, ...rest] = family.samples.map((sample) =>
      touchedBy(sample, family, files, pages),
    );
    if (first === undefined) throw new Error(`${family.name}: a family needs a sample`);
    return {
      family,
      touched: rest.reduce(
        (most, each) => (each.files.length > most.files.length ? each : most),
        first,
      ),
    };
  });
}

/** Samples that no code of the product names: a part that is gone would seem to cost nothing. */
export function missingSamples(
  families: readonly Family[],
  sources: readonly Source[],
): readonly string[] {
  const names = sources
    .filter((source) => !isInTests(source))
    .flatMap((source) => [...namesIn(source)]);
  return families
    .flatMap(({ samples }) => samples)
    .filter((sample) => !names.some((name) => name.includes(wordsOf(sample))));
}
