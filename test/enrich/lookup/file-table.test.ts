/**
 * Tables from files: every form that is read, and what is told of one that cannot be.
 */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, it } from 'vitest';
import {
  lookupTableMaxBytes,
  lookupTableMaxRows,
  readFileTable,
} from '../../../enrich/lookup/file-table.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-table-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const rows = [{ id: 'a' }, { id: 'é' }];
const lines = rows.map((row) => JSON.stringify(row)).join('\n');
const write = (name: string, content: string | Uint8Array): string => {
  const path = join(root, name);
  writeFileSync(path, content);
  return path;
};
const faultOf = (read: () => unknown): unknown => {
  try {
    return read();
  } catch (thrown) {
    return thrown;
  }
};

it('reads an array and NDJSON, plain and gzipped, with any line ends and empty lines', () => {
  expect(readFileTable(write('a.json', JSON.stringify(rows)))).toEqual(rows);
  expect(readFileTable(write('a.json.gz', gzipSync(JSON.stringify(rows))))).toEqual(rows);
  expect(readFileTable(write('a.ndjson', `${lines}\n`))).toEqual(rows);
  expect(readFileTable(write('a.jsonl', `\r\n${lines.replaceAll('\n', '\r\n')}\r\n\r\n`))).toEqual(
    rows,
  );
  expect(readFileTable(write('a.ndjson.gz', gzipSync(lines)))).toEqual(rows);
  expect(readFileTable(write('empty.ndjson', ''))).toEqual([]);
});

it('says which file is not there, and where it was looked for', () => {
  expect(faultOf(() => readFileTable(join(root, 'none.json')))).toMatchObject({
    code: 'lookup-table-missing',
    message: expect.stringContaining(join(root, 'none.json')) as string,
  });
  expect(faultOf(() => readFileTable(root))).toMatchObject({ code: 'lookup-table-missing' });
});

it('says where bad JSON is: in the file, or in its line', () => {
  const bad = write('bad.ndjson', `${lines}\n\n{"id":\n`);
  expect(faultOf(() => readFileTable(bad))).toMatchObject({
    code: 'lookup-table-invalid',
    message: expect.stringContaining(bad) as string,
    details: { line: 4 },
  });
  for (const [name, content] of [
    ['bad.json', '[1,'],
    ['object.json', '{"id":1}'],
    ['latin.json', Buffer.from([0x5b, 0x22, 0xe9, 0x22, 0x5d])],
    ['torn.json.gz', gzipSync(JSON.stringify(rows)).subarray(0, 20)],
    ['plain.json.gz', JSON.stringify(rows)],
  ] as const) {
    const path = write(name, content);
    expect(
      faultOf(() => readFileTable(path)),
      name,
    ).toMatchObject({
      code: 'lookup-table-invalid',
      message: expect.stringContaining(path) as string,
    });
  }
});

it('refuses what is too large before it is read or inflated whole, and too many rows', () => {
  const large = write('large.json', '[]');
  truncateSync(large, lookupTableMaxBytes + 1);
  const inflates = write(
    'inflates.json.gz',
    gzipSync(Buffer.alloc(lookupTableMaxBytes + 1, 0x20), { level: 1 }),
  );
  for (const path of [large, inflates]) {
    expect(faultOf(() => readFileTable(path))).toMatchObject({
      code: 'lookup-table-invalid',
      message: expect.stringContaining(path) as string,
      details: { maxBytes: lookupTableMaxBytes },
    });
  }
  const many = write('many.ndjson', '1\n'.repeat(lookupTableMaxRows + 1));
  expect(faultOf(() => readFileTable(many))).toMatchObject({
    code: 'lookup-table-invalid',
    message: expect.stringContaining(many) as string,
    details: { rows: lookupTableMaxRows + 1, maxRows: lookupTableMaxRows },
  });
});
