/**
 * A running server and a configuration that changes under it: what it takes over, and what leaves
 * the old one whole in force.
 *
 * The first form took any file that parsed: one that was half saved, or whose `keys` were gone,
 * left the server open to everybody.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reloadOnChange } from '../../../deploy/host/config-watch.ts';
import { refuseReload } from '../../../deploy/host/reload.ts';
import type { Ingress, IngressSettings } from '../../../ingest/ingress.ts';
import type { SluiceConfig } from '../../../schemas/config.ts';
import { loadConfig, parseConfig } from '../../../schemas/config-file.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { until } from '../support.ts';

const key = (name: string, letter: string): string => `  - name: ${name}
    sha256: ${letter.repeat(64)}
    streams: ['a/*']
    origins: ['https://shop.example']
`;
const streams = 'streams:\n  - {team: a, app: x}\n';
const keys = `keys:\n${key('one', 'a')}${key('two', 'b')}`;
const jwt = `jwt:
  - issuer: https://login.example/
    audience: sluice
    jwks_file: jwks.json
`;
const parsed = (text: string): SluiceConfig | undefined => {
  const result = parseConfig(text, { file: 'sluice.yaml', env: {}, baseDir: '/base' });
  return result.ok ? result.config : undefined;
};
const config = (text: string): SluiceConfig => {
  const found = parsed(text);
  if (found === undefined) throw new Error(text);
  return found;
};
const verdict = (before: string, after: string): string =>
  refuseReload(config(before), config(after)) ?? 'taken';

describe('a reload', () => {
  it.each([
    ['no keys', streams + keys, streams, 'keys'],
    [
      'an empty list of keys, and nothing else',
      streams + keys,
      `${streams}keys: []\n`,
      'everybody',
    ],
    [
      'no keys, beside an issuer',
      streams + keys + jwt,
      streams + jwt,
      "section 'keys' was removed",
    ],
    ['no issuers, beside keys', streams + keys + jwt, streams + keys, "section 'jwt' was removed"],
    ['no issuers, and nothing else', streams + jwt, streams, 'jwt'],
    ['a last line without an end', streams + keys, (streams + keys).trimEnd(), 'half saved'],
  ])('is refused when it has %s', (_what, before, after, why) => {
    expect(verdict(before, after)).toContain(why);
  });

  it.each([
    ['a key more', streams + keys, streams + keys + key('three', 'c')],
    ['a key less, the last one', streams + keys, `${streams}keys:\n${key('one', 'a')}`],
    ['other keys altogether', streams + keys, `${streams}keys:\n${key('three', 'c')}`],
    ['an issuer more', streams + keys, streams + keys + jwt],
    ['issuers in place of keys, said so', streams + keys + jwt, `${streams}keys: []\n${jwt}`],
    ['keys where there were none', streams, streams + keys],
    [
      'other origins, without keys',
      streams,
      `${streams}ingress: {origins: ['https://a.example']}\n`,
    ],
    ['an empty section less', `${streams + keys}jwt: []\n`, streams + keys],
    [
      'no last line break, as before',
      (streams + keys).trimEnd(),
      `${streams}${keys}${key('three', 'c')}`.trimEnd(),
    ],
  ])('is taken over when it has %s', (_what, before, after) => {
    expect(verdict(before, after)).toBe('taken');
  });

  it('of any part of the file lets nobody in who was not, and never opens the server', () => {
    const whole = streams + keys + jwt;
    const before = config(whole);
    let taken = 0;
    for (let length = 0; length < whole.length; length++) {
      const after = parsed(whole.slice(0, length));
      if (after === undefined || refuseReload(before, after) !== undefined) continue;
      taken++;
      expect(after.access.keys.length + after.access.jwt.length).toBeGreaterThan(0);
      for (const entry of after.access.keys) expect(before.access.keys).toContainEqual(entry);
    }
    // No part of it has all of both sections.
    expect(taken).toBe(0);
  });
});

describe('the file of a running server', () => {
  let dir: string;
  let file: string;
  let stop: () => Promise<void>;
  let told: string[];
  let taken: IngressSettings[];
  let refused: string[];
  let fault: Error | undefined;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'sluice-reload-'));
    file = join(dir, 'sluice.yaml');
    [told, taken, refused, fault] = [[], [], [], undefined];
    writeFileSync(file, streams + keys);
    const ingress = {
      reload(next: IngressSettings) {
        if (fault !== undefined) throw fault;
        taken.push(next);
      },
      refuseReload: (why: string) => void refused.push(why),
    } as unknown as Ingress;
    const read = (): SluiceConfig => loadConfig(file, {});
    stop = reloadOnChange(read(), read, ingress, {
      clock: systemClock,
      tell: (line) => told.push(line),
    });
  });
  afterEach(async () => {
    await stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it.each([
    ['is empty', () => writeFileSync(file, '')],
    ['is gone', () => rmSync(file)],
    [
      'is a folder',
      () => (rmSync(file), renameSync(mkdtempSync(join(tmpdir(), 'sluice-reload-')), file)),
    ],
    ['is cut in the middle of a key', () => writeFileSync(file, (streams + keys).slice(0, -60))],
    ['is no YAML', () => writeFileSync(file, '{{{')],
    ['has lost its keys', () => writeFileSync(file, streams)],
    [
      'needs a variable that is not there',
      () => writeFileSync(file, `${streams}${keys}neo4j: {password: '\${NOT_THERE}'}\n`),
    ],
  ])(
    'that %s changes nothing, and is said so; the next good one is taken over',
    async (_what, spoil) => {
      spoil();
      await until(() => refused.length > 0);
      expect([taken, told[0]]).toEqual([
        [],
        expect.stringContaining('the previous one stays in force'),
      ]);
      rmSync(file, { recursive: true, force: true });
      writeFileSync(file, streams + keys + key('three', 'c'));
      await until(() => taken.length > 0);
      expect(taken.at(-1)?.access.keys.map(({ name }) => name)).toEqual(['one', 'two', 'three']);
    },
  );

  it('that cannot be taken over for what it names is compared with what is in force, not with itself', async () => {
    fault = new Error('no such key set');
    writeFileSync(file, streams + keys + jwt);
    await until(() => refused.includes('no such key set'));
    fault = undefined;
    writeFileSync(file, streams + keys);
    await until(() => taken.length > 0);
    expect(taken.at(-1)?.access.jwt).toEqual([]);
  });
});
