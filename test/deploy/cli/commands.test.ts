/**
 * Commands that need no running instance: their output for a person and for a program, and errors
 * that name the file and what to do.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { sluice } from '../support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-commands-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('the command line', () => {
  it('checks a configuration and says where each value comes from', async () => {
    const file = join(root, 'sluice.yaml');
    writeFileSync(file, 'streams: [{team: a, app: b}]\ningress: {port: "${PORT}"}\n');
    const good = await sluice(['config', 'check', file], root, { PORT: '9000' });
    expect(good).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /ingress\.port +9000 +environment PORT \(.*sluice\.yaml:2\)/,
      ) as string,
    });
    const bad = await sluice(['--json', 'config', 'check', file], root);
    expect([bad.code, JSON.parse(bad.out)]).toMatchObject([
      1,
      { ok: false, problems: [{ line: 2, path: 'ingress.port' }, {}] },
    ]);
    expect(await sluice(['config', 'check', 'nowhere.yaml'], root)).toMatchObject({
      code: 1,
      err: expect.stringContaining('nowhere.yaml cannot be read') as string,
    });
  });

  it('says which version it is', async () => {
    const { version } = JSON.parse(
      readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8'),
    ) as {
      readonly version: string;
    };
    expect(await sluice(['--version'], root)).toMatchObject({ code: 0, out: `${version}\n` });
  });

  it('checks the files that a start would read: schemas, the secret of addresses', async () => {
    const file = join(root, 'files.yaml');
    writeFileSync(join(root, 'typo.schema.json'), '{"type": "objekt"}');
    writeFileSync(
      file,
      `streams:
  - {team: a, app: b, validate: reject, schema: typo.schema.json}
  - {team: a, app: c, validate: warn, schema: nowhere.json, context: {ip: hmac}}
ingress:
  address_secret_file: nosecret
`,
    );
    const { code, out } = await sluice(['config', 'check', file], root);
    expect([code, out.split('\n').filter((line) => line.startsWith(file))]).toEqual([
      1,
      [
        expect.stringMatching(
          /:2:\d+: streams\[0\]\.schema: .*typo\.schema\.json, does not compile/,
        ),
        expect.stringMatching(/:3:\d+: streams\[1\]\.schema: .*nowhere\.json, cannot be read/),
        expect.stringMatching(/:5:\d+: ingress\.address_secret_file: .*cannot be read/),
      ],
    ]);
  });

  it('refuses to start on a configuration with a typo, with file and line', async () => {
    const file = join(root, 'typo.yaml');
    writeFileSync(file, 'streams:\n  - team: a\n    ap: b\n');
    expect(await sluice(['--config', file, '--dir', join(root, 'typo'), 'start'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /typo\.yaml:3:5: streams\[0\]\.ap: unknown key; expected 'app'/,
      ) as string,
    });
  });

  it('describes and checks the shipped topology', async () => {
    const file = 'topology/examples/flights/topology.ts';
    expect(await sluice(['topology', 'check', file])).toMatchObject({
      code: 0,
      out: expect.stringContaining("topology 'flights' is valid") as string,
    });
    expect((await sluice(['topology', 'describe', file])).out).toMatch(/^flowchart LR\n/);
    expect((await sluice(['topology', 'describe', file, '--format', 'dot'])).out).toMatch(
      /^digraph "flights"/,
    );
    expect(JSON.parse((await sluice(['--json', 'topology', 'describe', file])).out)).toMatchObject({
      name: 'flights',
      irVersion: 1,
    });
    const broken = join(root, 'broken.ts');
    writeFileSync(
      broken,
      "import { stream, topology } from 'sluice';\nexport default topology('x', { version: 1, owner: 'a/b' }, (t) => { t.source('s', stream('nope')); });\n",
    );
    const checked = await sluice(['topology', 'check', broken]);
    expect([checked.code, checked.out]).toEqual([
      1,
      expect.stringContaining("its stream must be 'team/app'") as string,
    ]);
  });

  it('writes types for a schema, and finds stale ones', async () => {
    const file = join(root, 'promo-click.schema.json');
    const schema = {
      $id: 'https://sluice.example/promo-click',
      title: 'PromoClick',
      type: 'object',
      required: ['promoId'],
      additionalProperties: false,
      properties: { promoId: { type: 'string' }, price: { type: ['number', 'null'] } },
    };
    writeFileSync(file, JSON.stringify(schema));
    expect((await sluice(['schema', 'types', '--check', file])).code).toBe(1);
    expect((await sluice(['schema', 'types', file])).code).toBe(0);
    const text = readFileSync(join(root, 'promo-click.gen.ts'), 'utf8');
    expect(text).toMatch(
      /export interface PromoClick \{\s+promoId: string\s+price\?: \(number \| null\)\s+\}/,
    );
    expect(text).toContain('export const promoClick: Schema<PromoClick> = schemaOf({');
    expect((await sluice(['schema', 'types', '--check', file])).code).toBe(0);
    // As source text it would be the prototype of the object.
    writeFileSync(file, JSON.stringify(schema).replace('"price"', '"__proto__"'));
    expect((await sluice(['schema', 'types', file])).code).toBe(0);
    expect(readFileSync(join(root, 'promo-click.gen.ts'), 'utf8')).toContain(
      '    ["__proto__"]: {',
    );
    writeFileSync(
      file,
      JSON.stringify({ ...schema, properties: { promoId: { type: 'string', nullable: true } } }),
    );
    expect(await sluice(['schema', 'types', file])).toMatchObject({
      code: 1,
      err: expect.stringContaining(
        "promo-click#/properties/promoId/nullable: 'nullable' is not a keyword",
      ) as string,
    });
    writeFileSync(file, JSON.stringify({ ...schema, title: 'not a type' }));
    expect(await sluice(['schema', 'types', file])).toMatchObject({
      code: 1,
      err: expect.stringContaining('must be a type name') as string,
    });
  });

  it('knows wrong usage from failure', async () => {
    expect((await sluice(['strat'])).code).toBe(2);
    expect((await sluice(['send'])).code).toBe(2);
    expect((await sluice(['--help'])).code).toBe(0);
    expect(await sluice(['--dir', join(root, 'none'), 'query', 'SELECT 1'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('no tables found in') as string,
    });
    const json = await sluice(['--json', '--dir', join(root, 'none'), 'status']);
    expect([json.code, JSON.parse(json.out)]).toMatchObject([
      1,
      { error: { code: 'not-running', fix: expect.any(String) as string } },
    ]);
    writeFileSync(join(root, 'mine.txt'), 'x');
    expect(await sluice(['--dir', root, 'reset', '--yes'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('has files that Sluice did not make') as string,
    });
  });
});
