/**
 * The short form of `npm run drill:door`: every attack against a real process, each in a fraction
 * of its time.
 */
import { describe, expect, it } from 'vitest';
import { runScript } from '../../repo/support.ts';
import { attacks } from './scenarios/index.ts';

describe('the drill at the door', () => {
  it.each(attacks.map(({ name, what }) => [name, what]))(
    '%s: %s',
    { timeout: 120_000 },
    async (name) => {
      const said = await runScript('drill/door/run.js', '--short', '--json', '--only', name);
      const line = said.split('\n').find((each) => each.startsWith('{')) ?? '{}';
      const { failed, checks } = JSON.parse(line) as {
        readonly failed?: string;
        readonly checks?: readonly { readonly check: string; readonly ok: boolean }[];
      };
      expect(failed).toBeUndefined();
      expect(checks?.filter(({ ok }) => !ok)).toEqual([]);
      expect(checks?.length).toBeGreaterThan(0);
    },
  );
});
