/**
 * The short form of `npm run fuzz:http`: the ingress and Node's own parser agree on what is a
 * request, but for the classes of differences that are explained; and an event is in the streams if
 * and only if its client was answered so.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../repo/support.ts';
import { classOf, differences } from './http-differences.ts';
import { makeRequest } from './http-grammar.ts';
import { compare } from './http-parity.ts';
import { timeoutMs } from './support.ts';

describe('requests made by the grammar', () => {
  it(
    'are accepted or refused by the ingress as by Node, but for what is explained',
    async () => {
      const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
      console.log(`requests beside Node's parser: --seed ${seed}`);
      const { accepted, classes, unexplained } = await compare({
        seed,
        from: 0,
        count: 3_000,
        parallel: 48,
      });
      expect(unexplained).toEqual([]);
      // Neither refuses all, and what is known to differ was tried.
      expect(accepted).toBeGreaterThan(800);
      expect(classes.get('host')).toBeGreaterThan(10);
    },
    4 * timeoutMs,
  );

  it('are the same for the same seed and index, and others for others', () => {
    for (let index = 0; index < 100; index++) {
      expect(makeRequest(1, index)).toEqual(makeRequest(1, index));
      expect(makeRequest(2, index)).not.toEqual(makeRequest(1, index));
    }
  });
});

describe('differences', () => {
  const document = readFileSync(join(root, 'test/fuzz/http-differences.md'), 'utf8');

  it.each(differences.map((each) => [each.name, each] as const))(
    '%s is in the document, with its reason',
    (name, { accepts, of, reason }) => {
      const who = accepts === 'node' ? 'Node' : 'the ingress';
      expect(document).toContain(
        `| \`${name}\` | ${who} | ${of === 'all' ? 'all' : 'Node 20'} | ${reason} |`,
      );
    },
  );

  it('has none that the code does not know', () => {
    const named = [...document.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name = '']) => name);
    expect(named.toSorted()).toEqual(differences.map(({ name }) => name).toSorted());
  });

  it('see the line that a line end inside another one makes', () => {
    const lines = ['POST /v1/a/plain HTTP/1.1', 'Host: localhost\r\n:80', 'Content-Length: 1'];
    const cut = { lines, tail: '1', lineEnd: '\r\n', cuts: [], mark: '' };
    const pair = { ingress: true, node: false, ours: 'closed', nodes: 'closed' } as const;
    expect(classOf(cut, pair, '115')).toBe('empty-name');
  });

  it('do not explain a usual request, whoever refuses it', () => {
    const lines = [
      'POST /v1/a/plain HTTP/1.1',
      'Host: localhost',
      'Content-Type: application/json',
      'Content-Length: 1',
    ];
    const usual = { lines, tail: '1', lineEnd: '\r\n', cuts: [], mark: '' };
    for (const ingress of [true, false])
      expect(
        classOf(usual, { ingress, node: !ingress, ours: 'closed', nodes: 'closed' }, '115'),
      ).toBeUndefined();
  });
});
