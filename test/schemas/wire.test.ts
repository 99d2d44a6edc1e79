import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventAttributes } from '../../schemas/event.ts';
import {
  decodeRecord,
  encodeBinary,
  encodeStructured,
  structuredHeadBytes,
} from '../../schemas/wire.ts';

const text = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1 }),
  fc.constantFrom('1},"team":"x"', ',"data":', '"', '\\', '日本', '__proto__'),
);
const attributes: fc.Arbitrary<EventAttributes> = fc.record(
  {
    id: text,
    source: text,
    type: text,
    subject: text,
    time: text,
    dataschema: text,
    datacontenttype: fc.constant('application/json'),
    team: text,
    app: text,
    partitionkey: text,
    receivedtime: text,
    traceparent: text,
  },
  {
    requiredKeys: [
      'id',
      'source',
      'type',
      'time',
      'datacontenttype',
      'team',
      'app',
      'partitionkey',
      'receivedtime',
    ],
  },
);
const data = fc.oneof(
  fc.json(),
  fc.jsonValue().map((value) => JSON.stringify(value, null, 2)),
  fc.constantFrom('123456789012345678901234567890', '{"data":1,"data":2}', ' [ ] '),
);
const record = (
  value: Uint8Array,
  headers?: Record<string, string>,
): Parameters<typeof decodeRecord>[0] => ({
  key: 'k',
  value,
  position: '1',
  arrivedAtMs: 1_000,
  ...(headers === undefined ? {} : { headers }),
});

describe('the wire', () => {
  it('brings back every attribute and the very bytes of the data, on both routes', () => {
    fc.assert(
      fc.property(attributes, data, (event, json) => {
        const bytes = Buffer.from(json);
        const structured = Buffer.concat(encodeStructured(event, bytes));
        expect(JSON.parse(structured.toString())).toMatchObject({
          specversion: '1.0',
          id: event.id,
          team: event.team,
        });
        expect(structured.length).toBe(structuredHeadBytes(event) + bytes.length);
        for (const decoded of [
          decodeRecord(record(structured)),
          decodeRecord(
            record(Buffer.concat(encodeBinary(event, bytes).value), {
              ...encodeBinary(event, bytes).headers,
            }),
          ),
        ]) {
          if ('problem' in decoded) throw new Error(decoded.problem);
          expect({ ...decoded.attributes }).toEqual({ ...event });
          expect(Buffer.from(decoded.data).equals(bytes)).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('reads CloudEvents of others, with members in any order and data in the middle', () => {
    const foreign = Buffer.from(
      '{"data": {"x":",\\"data\\":"} ,"team":"a","app":"b","id":"1","specversion":"1.0","extra":1}',
    );
    const decoded = decodeRecord(record(foreign));
    if ('problem' in decoded) throw new Error(decoded.problem);
    expect(Buffer.from(decoded.data).toString()).toBe('{"x":",\\"data\\":"}');
    expect(decoded.attributes).toMatchObject({
      id: '1',
      source: '/a/b',
      type: 'a.b',
      partitionkey: 'k',
      receivedtime: '1970-01-01T00:00:01.000Z',
    });
  });

  it('reads members of a foreign record in any order, with anything else among them', () => {
    fc.assert(
      fc.property(
        attributes,
        data,
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.infiniteStream(fc.nat()),
        (event, json, extra, order) => {
          const known = new Set([
            'specversion',
            'data',
            'data_base64',
            'subject',
            'dataschema',
            'traceparent',
            ...Object.keys(event),
          ]);
          const members = [
            ...Object.entries(event),
            ['specversion', '1.0'] as const,
            ['traceparent', event.traceparent ?? null] as const,
          ]
            .concat(
              Object.entries(extra).filter(([name]) => !known.has(name)) as [string, string][],
            )
            .map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
          // Spelled so that no reader can look for it.
          const all = [...members, `"d\\u0061ta" :${json}`].map((member) => ({
            member,
            at: order.next().value,
          }));
          const text = `{${all
            .sort((a, b) => a.at - b.at)
            .map(({ member }) => member)
            .join(' ,')}}`;
          const decoded = decodeRecord(record(Buffer.from(text)));
          if ('problem' in decoded) throw new Error(decoded.problem);
          const carried = Object.entries(extra).filter(
            ([name, value]) =>
              !known.has(name) &&
              /^[a-z0-9]{1,20}$/.test(name) &&
              ['string', 'number', 'boolean'].includes(typeof value),
          );
          const extensions = Object.fromEntries(
            carried.map(([name, value]) => [name, `${value as string}`]),
          );
          expect(decoded.attributes).toEqual(
            carried.length === 0 ? event : { ...event, extensions },
          );
          expect(Buffer.from(decoded.data).toString()).toBe(json.trim());
        },
      ),
    );
  });

  it('takes data as the last member only where Sluice wrote the record', () => {
    const dataOf = (text: string): unknown => {
      const decoded = decodeRecord(record(Buffer.from(text)));
      return 'problem' in decoded ? decoded.problem : Buffer.from(decoded.data).toString();
    };
    expect(dataOf('{"specversion":"1.0","id":"1","data":{"x":1},"team":"a","app":"b"}')).toBe(
      '{"x":1}',
    );
    expect(
      dataOf(
        '{"id":"1","specversion":"1.0","team":"a","app":"b","receivedtime":"2020","data":{"x":1},"more":{}}',
      ),
    ).toBe('{"x":1}');
    const unreceived =
      '{"specversion":"1.0","source":"s","type":"t","datacontenttype":"d","team":"a","app":"b","id":"1","data":{"x":1},"more":{}}';
    expect(dataOf(unreceived)).toBe('{"x":1}');
    // Written here, then appended to: what is read as data must be no JSON, so that nobody takes it
    // for the client's.
    const appended =
      '{"specversion":"1.0","id":"1","team":"a","app":"b","receivedtime":"2020","data":{"x":1},"more":{}}';
    expect(() => JSON.parse(String(dataOf(appended))) as unknown).toThrow(SyntaxError);
  });

  it('reads what records begin with as in any other place: given twice, null, of another type, or of the record before', () => {
    const text = fc.constantFrom(
      '"a"',
      '"b"',
      '"\u00fc,\\",\\"id\\":"',
      '""',
      'null',
      '1',
      '{"id":1}',
    );
    const name = fc.constantFrom(
      'source',
      'type',
      'datacontenttype',
      'team',
      'app',
      'time',
      'subject',
      'extra',
      'receivedtime',
      '__proto__',
    );
    const written = ['source', 'type', 'datacontenttype', 'team', 'app'] as const;
    const few = fc.constantFrom('"a"', '"b"', 'null', '7');
    const starts = fc.oneof(
      {
        weight: 3,
        arbitrary: fc
          .tuple(few, few, few, few, few)
          .map((values) => values.map((value, n) => [written[n], value] as const)),
      },
      { weight: 1, arbitrary: fc.array(fc.tuple(name, text), { maxLength: 6 }) },
    );
    fc.assert(
      fc.property(
        starts,
        fc.array(fc.tuple(name, text), { maxLength: 4 }),
        fc.boolean(),
        (start, rest, isReceived) => {
          const received = isReceived ? [['receivedtime', '"2026-01-01T00:00:00Z"'] as const] : [];
          const members = [
            ['specversion', '"1.0"'] as const,
            ...start,
            ['id', '"1"'] as const,
            ...rest,
            ...received,
          ];
          const head = `{${members.map(([key, value]) => `"${key}":${value}`).join()}`;
          const decoded = decodeRecord(record(Buffer.from(`${head},"data":{"x":"\u00fc"}}`)));
          // JSON.parse keeps the last of one name. Data first is what no record written here has.
          const plain = JSON.parse(`${head}}`) as Record<string, unknown>;
          const reordered = Object.entries(plain).map(
            ([key, value]) => `,${JSON.stringify(key)}:${JSON.stringify(value)}`,
          );
          const expected = decodeRecord(
            record(Buffer.from(`{"data":{"x":"\u00fc"}${reordered.join('')}}`)),
          );
          expect(decoded).toEqual(expected);
          if (!('problem' in decoded))
            expect(decoded.text).toBe(Buffer.from(decoded.data).toString());
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('takes what a foreign record leaves out from where it came', () => {
    const decode = (value: string, more: object = {}): unknown =>
      decodeRecord({ ...record(Buffer.from(value)), ...more });
    const bare = '{"specversion":"1.0","id":"1","team":"a","app":"b"';
    expect(decode(`${bare}}`)).toMatchObject({
      data: Buffer.from('null'),
      attributes: { partitionkey: 'k', time: '1970-01-01T00:00:01.000Z' },
    });
    expect(decode(`${bare},"subject":"s","source":null,"type":""}`, { key: '' })).toMatchObject({
      attributes: { partitionkey: 's', source: '/a/b', type: 'a.b' },
    });
    expect(decode(`${bare}}`, { key: '' })).toMatchObject({ attributes: { partitionkey: '1' } });
    expect(decode(`${bare}}`, { arrivedAtMs: 9e15 })).toMatchObject({
      problem: expect.stringMatching(/arrival time/) as string,
    });
    const headers = { ce_specversion: '1.0', ce_id: 'ü"\n', ce_team: 'a', ce_app: 'b' };
    expect(decodeRecord(record(Buffer.alloc(0), headers))).toMatchObject({
      data: Buffer.from('null'),
      attributes: { id: 'ü"\n' },
    });
  });

  it('finds the data where bytes and characters are counted apart', () => {
    // Eleven bytes more than characters, and as many characters from `dabc` to the data.
    const subject = 'ü'.repeat(11);
    const own = { ...{ id: '1', source: 's', type: 't', time: '', team: 'a', app: 'b' }, subject };
    const more = { datacontenttype: 'json', partitionkey: 'k', receivedtime: '' };
    const extensions = { dabc: '1' };
    const whole = Buffer.concat(
      encodeStructured({ ...own, ...more, extensions }, Buffer.from('[2]')),
    );
    expect(Buffer.from(whole).toString()).toContain(',"dabc":"1","data":');
    expect(decodeRecord(record(whole))).toMatchObject({ data: Buffer.from('[2]'), text: '[2]' });
  });

  it('is not led by a member that would be the prototype', () => {
    const inherited = '"specversion":"1.0","id":"1","team":"a","app":"b","receivedtime":"2020"';
    expect(decodeRecord(record(Buffer.from(`{"__proto__":{${inherited}}}`)))).toHaveProperty(
      'problem',
    );
    expect(
      decodeRecord(record(Buffer.from(`{"__proto__":{${inherited}},"data":1}`))),
    ).toHaveProperty('problem');
  });

  it('says why a record is no event', () => {
    const problem = (value: string): string => {
      const decoded = decodeRecord(record(Buffer.from(value)));
      return 'problem' in decoded ? decoded.problem : 'decoded';
    };
    expect(problem('{"id"')).toMatch(/not JSON: at byte 5/);
    expect(problem('[1]')).toMatch(/not an object/);
    expect(problem('{"specversion":"0.3","id":"1"}')).toMatch(/specversion/);
    expect(problem('{"specversion":"1.0","id":"1"}')).toMatch(/'team' and 'app'/);
    expect(
      problem('{"specversion":"1.0","id":"1","team":"a","app":"b","data_base64":"AA=="}'),
    ).toMatch(/data_base64/);
    expect(problem('{"specversion":"1.0","id":"1","team":"","app":"b"}')).toMatch(
      /'team' and 'app'/,
    );
    expect(problem('{"specversion":"1.0","id":"1","team":"a","app":"b","source":5}')).toMatch(
      /'source'.* not a string/,
    );
  });
});
