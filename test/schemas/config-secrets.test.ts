/**
 * No secret of a configuration is shown: by `config check`, plain and as JSON, in a problem, in the
 * error of a start, or in a line of the log. The walk below plants one into every setting that
 * takes a text, so that a setting which is added later is walked as well.
 *
 * The first form knew look-ups only: `config check --json` printed the password of Neo4j, and the
 * user information of `jwks_url`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configCheck } from '../../deploy/cli/commands/config/config-check.ts';
import type { Output } from '../../deploy/cli/output.ts';
import { reportFailure } from '../../deploy/cli/output.ts';
import { remoteKeySet } from '../../ingest/access/key-set.ts';
import { createLog } from '../../ingest/telemetry/log.ts';
import { settingsOf } from '../../schemas/config/setting.ts';
import { configTable } from '../../schemas/config/table.ts';
import { loadConfig } from '../../schemas/config-file.ts';
import { maskAddresses, maskAll } from '../../schemas/config-secrets.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';

const planted = 'hunter2planted';
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-secrets-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function recorder(json: boolean): { readonly output: Output; readonly lines: string[] } {
  const lines: string[] = [];
  return {
    output: {
      json,
      line: (text) => lines.push(text),
      data: () => undefined,
      note: (text) => lines.push(text),
    },
    lines,
  };
}

/** Everything that is said of a configuration, whether it is valid or not. */
async function said(text: string, env: Record<string, string> = {}): Promise<string> {
  const file = join(dir, 'sluice.yaml');
  writeFileSync(file, text);
  const all: string[] = [];
  for (const [json, explain] of [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ] as const) {
    const { output, lines } = recorder(json);
    await configCheck({ file, env, explain }, output);
    try {
      loadConfig(file, env);
    } catch (thrown) {
      reportFailure(thrown, output);
    }
    all.push(...lines);
  }
  return all.join('\n');
}

const rest = 'streams: [{team: a, app: x}]\n';
/** What an entry needs beside the setting that is looked at. */
const beside: Readonly<Record<string, object>> = {
  streams: { team: 'a', app: 'x' },
  keys: { name: 'k', sha256: 'a'.repeat(64), streams: ['a/x'] },
  jwt: { issuer: 'i', audience: 'a' },
  lookups: { url: 'http://a.example/{key}' },
};
/** A file that gives the setting at `place` a value, as it is written. */
function fileOf(place: readonly string[]): (value: string) => string {
  const [section = ''] = place;
  const member = place.slice(1).reduceRight<unknown>((inner, name, index) => {
    if (name !== '*') return { ...(index === 1 ? beside[section] : {}), [name]: inner };
    return section === 'lookups' || section === 'firehose' ? { 'x-a': inner } : [inner];
  }, '@value@');
  const text = `${section === 'streams' ? '' : rest}${section}: ${JSON.stringify(member)}\n`;
  return (value) => text.replace('"@value@"', value);
}
const all = [...settingsOf(configTable)].map(
  ([place, schema]) => [place.join('.'), schema, fileOf(place)] as const,
);
/** Each setting that takes a text, and the file that gives it one. */
const settings = all.flatMap(([name, { type }, file]) =>
  type === 'string' ? [[name, file] as const] : [],
);
const secrets = all.flatMap(([name, { writeOnly }, file]) =>
  writeOnly === true ? [[name, file] as const] : [],
);

it('walks every section, and knows the secrets', () => {
  expect(new Set(settings.map(([name]) => name.split('.')[0]))).toEqual(
    new Set(Object.keys(configTable.properties).filter((name) => name !== 'routing')),
  );
  expect(secrets.map(([name]) => name).sort()).toEqual([
    'ingress.address_secret',
    'lookups.*.headers.*',
    'neo4j.password',
  ]);
});

describe('user information in an address', () => {
  const addresses = [
    `https://user:${planted}@login.example/a`,
    `https://${planted}@login.example/a`,
    `https://user:p/${planted}@login.example/a`,
    `https:user:${planted}@login.example/a`,
    `neo4j+s://user:${planted}@graph.example`,
    `https://login.example/jwks?api_key=${planted}`,
  ];
  it.each(settings)('is shown of no setting: %s', async (_setting, file) => {
    for (const address of addresses) {
      expect(await said(file(`'${address}'`))).not.toContain(planted);
      expect(await said(file("'${ADDRESS}'"), { ADDRESS: address })).not.toContain(planted);
    }
  });
});

describe('a configuration that is shown', () => {
  it('keeps its form, with every text masked', () => {
    const value = {
      list: ['http://u:p@h/', 1, null, { url: 'https://h/?token=x' }],
      'named here': true,
    };
    expect(maskAll(value, new Map())).toEqual({
      list: ['http://***@h/', 1, null, { url: 'https://h/?token=***' }],
      'named here': true,
    });
    expect(maskAll(['secret', 'other'], new Map([['secret', '***']]))).toEqual(['***', 'other']);
  });
});

describe('a secret setting', () => {
  it.each(secrets)('is shown in no form: %s', async (_setting, file) => {
    for (const value of [
      `'${planted}-long-enough-for-every-one'`,
      "'${SECRET}'",
      `"${planted}\\u0007"`,
      `[${planted}]`,
      `{${planted}: 1}`,
      `|${planted}\n`,
      `!${planted} x`,
      `*${planted}`,
      `"\\x${planted}"`,
    ]) {
      const text = await said(file(value), { SECRET: `${planted}-long-enough-for-every-one` });
      expect(text).not.toContain(planted);
      expect(text).not.toContain(planted.slice(0, 4));
      expect(text.length).toBeGreaterThan(0);
    }
    expect(await said(file(`'a secret that is long enough for every one'`))).toContain('***');
  });

  it('is one also in a look-up with a dot in its name', async () => {
    expect(
      await said(
        `${rest}lookups: {a.b: {url: 'http://a.example/{key}', headers: {x: ${planted}}}}\n`,
      ),
    ).not.toContain(planted);
  });

  it('is not repeated where a map should be', async () => {
    expect(
      await said(`${rest}lookups: {p: {url: 'http://a.example/{key}', headers: ${planted}}}\n`),
    ).not.toContain(planted);
  });

  it('that stands where a name should is not repeated', async () => {
    expect(await said(`${rest}neo4j: {password=${planted}}\n`)).not.toContain(planted);
  });
});

it('an address in a line of the log, and one that cannot be fetched from, keeps its user information to itself', async () => {
  for (const json of [true, false]) {
    let text = '';
    const to = new PassThrough();
    to.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const log = createLog({ level: 'debug', json, to });
    log.warn(
      {
        url: `https://user:${planted}@a.example/x`,
        err: new Error(`no answer of http://${planted}@a.example`),
      },
      'a fetch failed',
    );
    const keys = remoteKeySet(
      `http://user:${planted}@127.0.0.1:1/jwks`,
      `https://user:${planted}@login.example`,
      {
        clock: systemClock,
        random: systemRandom,
        log,
      },
    );
    expect(await keys.current()).toBeUndefined();
    keys.close();
    expect(text).toContain("the issuer's keys cannot be fetched");
    expect(text).toContain('***@');
    expect(text).not.toContain(planted);
  }
});

it.each([
  ['https://planes.example/{key}', 'https://planes.example/{key}'],
  [
    'https://u:p@a.example/x and http://v@b.example',
    'https://***@a.example/x and http://***@b.example',
  ],
  [
    '{"a":"https://u:p@a.example","b":"me@b.example"}',
    '{"a":"https://***@a.example","b":"me@b.example"}',
  ],
  ['https://a.example/{key}?key={key}&limit=3', 'https://a.example/{key}?key={key}&limit=3'],
  ['https://a.example/{key}?token=${TOKEN}', 'https://a.example/{key}?token=${TOKEN}'],
  ['https://a.example/{key}?token=${TOKEN:-abc}&x=1', 'https://a.example/{key}?token=***&x=1'],
  ['token:login.example:alice@shop.example:abc', 'token:login.example:alice@shop.example:abc'],
  ['arn:aws:iam::123456789012:role/kafka', 'arn:aws:iam::123456789012:role/kafka'],
])('of %s is shown %s', (text, shown) => {
  expect(maskAddresses(text)).toBe(shown);
});
