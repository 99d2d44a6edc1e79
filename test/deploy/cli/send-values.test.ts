/**
 * Bytes become events: each once, in order, with their lines, however the input is cut.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { InputEvent } from '../../../deploy/cli/commands/send/send-pieces.ts';
import { decideFormat, eventsOf } from '../../../deploy/cli/commands/send/send-values.ts';

async function* cut(text: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let i = 0; at < text.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    yield text.subarray(at, at + size);
    at += size;
  }
}

async function read(
  text: string,
  sizes: readonly number[] = [1_000],
  maxBytes = 1_000,
): Promise<readonly InputEvent[]> {
  const found: InputEvent[] = [];
  for await (const group of eventsOf(cut(Buffer.from(text), sizes), 'input', 'auto', maxBytes))
    found.push(...group);
  return found;
}

const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });
const space = fc
  .array(fc.constantFrom(' ', '\n', '\r\n', '\t'), { maxLength: 3 })
  .map((all) => all.join(''));

describe('the events of', () => {
  it('lines are every line that is not blank, as it is written', async () => {
    const line = fc.string({ maxLength: 30 }).map((text) => text.replaceAll(/[\n\r\ufeff]/g, ''));
    await fc.assert(
      fc.asyncProperty(
        fc.array(line),
        sizes,
        fc.constantFrom('\n', '\r\n'),
        async (lines, pieces, end) => {
          // Of one that is not JSON at its beginning, each line is an event.
          const all = ['x', ...lines];
          const expected = all
            .map((text, index) => [index + 1, text] as const)
            .filter(([, text]) => !/^[ \t]*$/.test(text));
          const events = await read(all.join(end), pieces);
          expect(events.map(({ line: number, text }) => [number, text.toString()])).toEqual(
            expected,
          );
          expect(events.map(({ number }) => number)).toEqual(expected.map((_, index) => index + 1));
        },
      ),
    );
  });

  it('a document are its values, whatever stands between their tokens', async () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(value, space)),
        fc.boolean(),
        space,
        sizes,
        async (values, pretty, between, pieces) => {
          const texts = values.map(
            ([each, after]) => `${JSON.stringify(each, null, pretty ? 2 : 0)}${after}`,
          );
          const events = await read(
            `${between}[${between}${texts.join(`,${between}`)}]${between}`,
            pieces,
            1_000_000,
          );
          expect(events.map(({ text }) => JSON.parse(text.toString()) as unknown)).toEqual(
            values.map(([each]) => JSON.parse(JSON.stringify(each)) as unknown),
          );
          for (const { text, fault } of events)
            expect([text.includes('\n'), fault]).toEqual([false, undefined]);
        },
      ),
    );
  });

  it('values side by side are told apart, and their lines are known', async () => {
    const events = await read('{"a":"}\\"{"}{"b":[\n1]}\n\n"x" 1 true[2,\n"]"]{\n}', [1]);
    expect(events.map(({ line, text }) => `${line} ${text.toString()}`)).toEqual([
      '1 {"a":"}\\"{"}',
      '1 {"b":[ 1]}',
      '4 "x"',
      '4 1',
      '4 true',
      '4 2',
      '5 "]"',
      '5 { }',
    ]);
  });

  it('a part that is wrong, or too large, have a fault, and the next one is found', async () => {
    const faults = async (text: string) =>
      (await read(text, [3], 20)).map(({ line, fault }) => [line, fault?.code]);
    expect(await faults(`["${'x'.repeat(30)}",\n{"a":\n},01,2]`)).toEqual([
      [1, 'event-too-large'],
      [2, 'not-json'],
      [3, 'not-json'],
      [3, undefined],
    ]);
    expect(await faults(`1\n${'x'.repeat(30)}\n2`)).toEqual([
      [1, undefined],
      [2, 'event-too-large'],
      [3, undefined],
    ]);
  });
});

describe('whether each line is an event', () => {
  it.each([
    ['{"a":1}\n{"a":', 'lines'],
    ['{"a":1}', 'lines'],
    ['nope\n[', 'lines'],
    ['1\n', 'lines'],
    ['', 'lines'],
    ['{"a":\n{"b":2}\n', 'lines'],
    ['{"a":1}\u001b\n', 'lines'],
    ['{\n"a":1}', 'json'],
    ['{"a":\n{"b":\n2}}', 'json'],
    ['{"a":1} {"b":2}', 'json'],
    ['{"a":', 'json'],
    [' \n[1]', 'json'],
  ] as const)('of %j it is decided: %s', (text, format) => {
    expect(decideFormat(Buffer.from(text), true)).toBe(format);
  });

  it('is left open while it does not show', () => {
    for (const text of ['', ' \n', '{"a"', '{\n', '{\n"a":'])
      expect(decideFormat(Buffer.from(text), false)).toBeUndefined();
  });
});
