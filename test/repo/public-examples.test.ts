/**
 * Every function that authors call has an example beside it, and every example compiles as it
 * stands, with what a topology's file has around it.
 */
import { describe, expect, it } from 'vitest';
import {
  type Entry,
  entries,
  type PublicFunction,
  publicFunctions,
  withDeclarations,
} from '../tools/public-api.ts';

/** Run topologies rather than write them: they are called by hosts, and show no example. */
const forHosts = /^dist\/topology\/(?:checkpoint|graph|plan|runtime\/(?!driver\/)|state)/;

/** What the examples speak of, as an author's file would declare it. */
const around = `
interface Click { id: string; user: string; page: string; item: string; clickedAt: string; price: number; order?: string }
interface Step { id: string; at: string; user: string; promo: string; order?: string; price: number }
declare const t: TopologyBuilder;
declare const clicks: Stream<Click>;
declare const steps: Stream<Step>;
declare const minutes: WindowedStream<string, Click>;
declare const clickRow: Schema<Click>;
declare const userRow: Schema<{ id: string; name: string }>;
declare const promoClick: Schema<{ promoId: string }>;
declare const promoClickRow: Schema<{ id: string; promoId: string }>;
declare const order: Schema<{ id: string }>;
declare const refund: Schema<{ order: string }>;
declare const clicksTopology: Topology;
declare const driver: Driver;
declare function expect(value: unknown): { toHaveLength(length: number): void };
`;
const types = {
  sluice: ['Schema', 'Stream', 'Topology', 'TopologyBuilder', 'WindowedStream'],
  'sluice-enrich': [],
  'sluice-testing': ['Driver'],
} as const satisfies Readonly<Record<Entry, readonly string[]>>;

/** An example as a module: what it does not declare itself is imported, or is around it. */
function moduleOf({ example = '' }: PublicFunction, functions: readonly PublicFunction[]): string {
  const imports = (Object.keys(entries) as Entry[]).map((entry) => {
    const called = functions.filter((each) => each.entry === entry).map(({ name }) => name);
    const named = [...called, ...types[entry].map((name) => `type ${name}`)];
    return `import { ${named.join(', ')} } from '${entry.replace('-', '/')}';`;
  });
  const declared = /^(?:export )?const (?:\{ ([^}]*) \}|(\w+))/gm;
  const own = [...example.matchAll(declared)].flatMap(([, several, one]) =>
    (several ?? one ?? '').split(', '),
  );
  const needed = around
    .split('\n')
    .filter((line) => !own.some((name) => line.startsWith(`declare const ${name}:`)));
  return [...imports, ...needed, example].join('\n');
}

function compiled(examples: Readonly<Record<string, string>>): string[] {
  return withDeclarations(examples, ({ program }) =>
    Object.keys(examples).flatMap((path) =>
      [...program.getSyntacticDiagnostics(path), ...program.getSemanticDiagnostics(path)].map(
        ({ text }) => `${path}: ${text}`,
      ),
    ),
  );
}

describe('examples of the public API', () => {
  const functions = withDeclarations({}, publicFunctions);
  const authors = functions.filter(({ path }) => !forHosts.test(path));

  it('every function that authors call has one', () => {
    expect(authors.filter(({ example }) => example === undefined).map(({ name }) => name)).toEqual(
      [],
    );
    expect(authors.length).toBeGreaterThan(25);
  });

  it('every one compiles', () => {
    const shown = functions.filter(({ example }) => example !== undefined);
    const examples = shown.map(
      (each) => [`api-examples/${each.name}.ts`, moduleOf(each, functions)] as const,
    );
    expect(compiled(Object.fromEntries(examples))).toEqual([]);
  });

  it('one that is wrong does not compile', () => {
    const wrong: PublicFunction = {
      entry: 'sluice',
      name: 'wrong',
      path: '',
      example: "clicks.sinkTo('out', table('clicks', userRow));",
    };
    expect(compiled({ 'api-examples/wrong.ts': moduleOf(wrong, functions) })).toHaveLength(1);
  });
});
