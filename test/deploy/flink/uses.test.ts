/**
 * What a bundle uses that a Flink job's engine does not have, or does otherwise: told by its syntax,
 * not by its letters.
 */
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import type { DifferenceName } from '../../../deploy/flink/check/differences.ts';
import { differences } from '../../../deploy/flink/check/differences.ts';
import { checkForFlink } from '../../../deploy/flink/check/flink-check.ts';
import { slotFunctions } from '../../../deploy/flink/check/reach.ts';
import { scriptTree } from '../../../deploy/flink/check/script-tree.ts';
import { usesIn } from '../../../deploy/flink/check/uses.ts';
import type { Plan } from '../../../topology/plan/plan.ts';

/** As topologies are bundled. */
async function bundled(code: string): Promise<string> {
  const result = await build({
    stdin: { contents: code, loader: 'ts' },
    ...({ bundle: true, write: false, format: 'esm', platform: 'neutral' } as const),
    ...({ target: 'es2022', treeShaking: false, logLevel: 'silent' } as const),
  });
  return result.outputFiles[0]?.text ?? '';
}

async function found(code: string): Promise<readonly string[]> {
  const uses = usesIn(scriptTree(await bundled(code)));
  return uses.map(({ difference, found: text }) => `${difference}: ${text}`);
}

const cases: Readonly<Record<DifferenceName, readonly (readonly [code: string, text: string])[]>> =
  {
    math: [
      ['export const f = (x: number) => Math.sin(x);', 'Math.sin'],
      ["export const f = (x: number) => Math['pow'](x, 3);", 'Math.pow'],
      ['export const f = (x: number) => globalThis.Math.log(x);', 'Math.log'],
      ['const { exp } = Math; export const f = (x: number) => exp(x);', 'Math.exp'],
      ['export const f = (x: number) => x ** 3;', '**'],
      ['export const f = (x: number) => x ** 0.5;', '**'],
      ['export const f = (x: number) => { let y = x; y **= 3; return y; };', '**='],
    ],
    'math-value': [
      ['const m = Math; export const f = (x: number) => m.sin(x);', 'Math'],
      ["export const f = (x: number, n: 'sin') => Math[n](x);", 'Math[...]'],
    ],
    intl: [
      ["export const f = new Intl.NumberFormat('de');", 'Intl.NumberFormat'],
      ['export const f = [Intl];', 'Intl'],
    ],
    locale: [
      ['export const f = (a: string, b: string) => a.localeCompare(b);', '.localeCompare()'],
      ['export const f = (a: number) => a.toLocaleString();', '.toLocaleString()'],
      ['export const f = (a: Date) => a?.toLocaleTimeString();', '.toLocaleTimeString()'],
    ],
    newer: [
      ['export const f = (a: string) => a.isWellFormed();', '.isWellFormed()'],
      ['export const f = (a: any, b: any) => a.isSubsetOf(b);', '.isSubsetOf()'],
      ['export const f = (a: any) => Object.groupBy(a, (x: any) => x.k);', 'Object.groupBy'],
      [
        'const { withResolvers } = Promise; export const f = withResolvers;',
        'Promise.withResolvers',
      ],
      ['const s: any = new Set([1]); export const f = () => s.union(new Set());', '.union()'],
      ['export const f = (m: any) => m.values().map((x: any) => x);', '.map()'],
      ['export const f = Iterator;', 'Iterator'],
      [
        'export const f = (a: string) => /[a--b]/v.test(a);',
        'new RegExp("[a--b]", "v") with the flag v',
      ],
    ],
    'date-text': [
      ['export const f = (t: number) => new Date(t).toString();', '.toString()'],
      [
        'export const f = (t: number) => { const d = new Date(t); return `${d}`; };',
        'the text of a Date',
      ],
      ['export const f = (t: number) => String(new Date(t));', 'the text of a Date'],
      ["export const f = (t: number) => 'at ' + new Date(t);", 'the text of a Date'],
      ['export const f = (d: Date) => d.toDateString();', '.toDateString()'],
    ],
    'local-time': [
      ['export const f = (d: Date) => d.getHours();', '.getHours()'],
      ['export const f = (d: Date) => d.setMonth(1);', '.setMonth()'],
      ['export const f = new Date(2026, 1);', 'new Date(year, month, ...)'],
    ],
    clock: [
      ['export const f = () => Date.now();', 'Date.now()'],
      ['export const f = () => new Date();', 'new Date()'],
      ['export const f = () => Date();', 'Date()'],
    ],
    random: [['export const f = () => Math.random();', 'Math.random']],
    comparator: [
      ['export const f = (a: number[]) => a.sort((x, y) => x > y as any);', '.sort()'],
      [
        'const by: any = (x: number, y: number) => !(x < y); export const f = (a: number[]) => a.sort(by);',
        '.sort()',
      ],
    ],
    'error-text': [
      [
        'export const f = () => { try { g(); } catch (e: any) { return e.message; } }; function g() {}',
        'e.message',
      ],
      [
        'export const f = () => { try { g(); } catch (e) { return `${e}`; } }; function g() {}',
        'the text of e',
      ],
    ],
    global: [
      ['export const f = () => process.pid;', 'process'],
      ["export const f = () => Buffer.from('x');", 'Buffer'],
      ["export const f = () => new TextEncoder().encode('x');", 'TextEncoder'],
      ['export const f = () => globalThis.structuredClone({});', 'structuredClone'],
      ["export const f = () => console.log('x');", 'console'],
    ],
    'guarded-global': [
      ["export const f = () => (typeof process === 'undefined' ? 0 : process.pid);", 'process'],
      [
        "export const f = () => (typeof globalThis.Buffer === 'undefined' ? 0 : Buffer.poolSize);",
        'Buffer',
      ],
    ],
    module: [
      ['export const f = () => import.meta.url;', 'import.meta'],
      ['export const f = (name: string) => import(name);', 'import()'],
    ],
    'top-await': [
      ['export const f = await Promise.resolve(1);', 'await'],
      ['for await (const x of [1]) globalThis.x = x;', 'for await'],
    ],
    async: [['export const f = async () => 1;', 'this function']],
  };

describe('a use', () => {
  it.each(
    Object.entries(cases).flatMap(([name, list]) =>
      list.map(([code, text]) => [name, code, text] as const),
    ),
  )('of %s is found in %s', async (name, code, text) => {
    expect(await found(code)).toContain(`${name}: ${text}`);
  });

  it('has a message and a fix for each difference there is', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(differences).sort());
    for (const { message, fix } of Object.values(differences)) {
      expect(message('X')).toContain('X');
      expect(fix.length).toBeGreaterThan(5);
    }
  });
});

describe('nothing is found', () => {
  it.each([
    ['in texts and comments', "export const f = 'Math.sin(1) process'; // Intl"],
    [
      'in names of properties',
      'export const f = (e: any) => ({ process: e.Math.sin, Intl: e.Intl });',
    ],
    [
      'of a name that the topology declares',
      'const Math = { sin: (x: number) => x }; export const f = () => Math.sin(1);',
    ],
    [
      'of a parameter',
      'export const f = (process: any, { console }: any) => [process.pid, console];',
    ],
    [
      'of its own method of that name',
      'const own = { isWellFormed: () => 1 }; export const f = () => own.isWellFormed();',
    ],
    [
      'of arithmetic that is the same everywhere',
      'export const f = (x: number) => [Math.sqrt(x), Math.round(x), x ** 1, x ** 2, Math.hypot(x, 1)];',
    ],
    [
      'of dates in UTC',
      'export const f = (t: number) => [new Date(t).toISOString(), new Date(t).getUTCHours(), Date.UTC(2026, 1)];',
    ],
    [
      'of a consistent comparator',
      'export const f = (a: number[]) => a.sort((x, y) => x - y || (x > y ? 1 : -1));',
    ],
    [
      'of tables of Unicode, which GraalJS has',
      'export const f = (a: string) => [/\\p{L}/u.test(a), /[a-z]/i.test(a), a.normalize()];',
    ],
    [
      'of methods of arrays that the bundle brings along',
      'export const f = (a: number[]) => a.findLast((x) => x > 1) ?? a.toSorted().with(0, 1);',
    ],
    [
      'of labels',
      'export const f = (a: any[]) => { process: for (const x of a) { if (x) break process; } };',
    ],
    ['behind typeof alone', 'export const f = () => typeof process;'],
    [
      'of what is destructured from something else',
      'export const f = ({ sin, process: p }: any) => [sin(1), p];',
    ],
    ['of an error of its own', 'export const f = (e: any) => e.message;'],
  ])('%s', async (_what, code) => {
    expect(await found(code)).toEqual([]);
  });
});

describe('a function of a node', () => {
  const code = `
const table = { half: (x) => Math.sqrt(x) / 2, log: (x) => Math.log(x) };
function deep(x) { return again(x) + table.log(x); }
function again(x) { return x > 1 ? deep(x - 1) : 0; }
function other(x) { return Math.sin(x); }
const methods = { onElement(x) { return deep(x); }, get reads() { return other; } };
export const all = [methods, (x) => other(x), (x) => x];
`;
  const texts = ['onElement(x) {\n  return deep(x);\n}', '(x) => other(x)', '(x) => x'];
  it('comes to what its names stand for, and what theirs do, in a circle too', async () => {
    const tree = scriptTree(await bundled(code));
    const slots = slotFunctions(
      tree,
      texts.map((text, index) => ({ node: String(index), slot: 'function', text })),
    );
    const uses = usesIn(tree);
    const reached = slots.map(({ ranges }) =>
      uses
        .filter(({ at }) => ranges.some(({ start, end }) => start <= at.start && at.end <= end))
        .map(({ found: text }) => text),
    );
    expect(reached).toEqual([['Math.log'], ['Math.sin'], []]);
    expect(slots.map(({ functions }) => functions.length)).toEqual([1, 1, 1]);
  });

  it('of a text that the bundle does not have comes to nothing', async () => {
    const tree = scriptTree(await bundled(code));
    const [slot] = slotFunctions(tree, [
      { node: 'n', slot: 's', text: 'function () { [native code] }' },
    ]);
    expect(slot?.ranges).toEqual([]);
  });
});

describe('a script', () => {
  const checked = (script: string): readonly string[] => {
    const plan = { nodes: [] as const } as unknown as Plan;
    return checkForFlink({ plan, slots: [], made: [], script }).map(({ message }) => message);
  };
  // A minute is enough for much slower machines; where each name looks at all others, it is not.
  it('with a name that 60,000 functions have is checked', { timeout: 60_000 }, () => {
    const script = `export const all=[${'a=>a+1,'.repeat(60_000)}()=>process.pid];`;
    expect(checked(script)).toEqual([expect.stringMatching(/^process is not part of JavaScript/)]);
  });

  it('that is too long or too deep to be checked is told in a sentence', () => {
    expect(checked(`export const a="${'x'.repeat(5_000_000)}";`)).toEqual([
      'the topology with all that it imports has 5000018 characters: up to 5000000 can be checked',
    ]);
    const map = `\n//# sourceMappingURL=data:application/json;base64,${'x'.repeat(5_000_000)}`;
    expect(checked(`export const a=1;${map}`)).toEqual([]);
    expect(checked(`export const a=${'['.repeat(50_000)}${']'.repeat(50_000)};`)).toEqual([
      expect.stringMatching(/^the topology or what it imports cannot be checked: \S/),
    ]);
  });
});
