/**
 * The short form of `npm run soak`: a minute of it, always with the same fault. Too short to say
 * whether memory is flat.
 */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { runScript } from '../../repo/support.ts';
import { cloudMissing } from '../../servers/cloud.ts';
import { minuteMs, planFaults, soakFaults } from './faults.ts';

const minutes = 1;
/** Kinesis that is down, so that events are spooled. */
const seed = 161;

interface Told {
  readonly tally: Readonly<
    Record<
      'sent' | 'acknowledged' | 'landed' | 'rejected' | 'lost' | 'duplicated' | 'stuck',
      number
    >
  >;
  readonly faults: readonly { readonly name: string }[];
  readonly gauges: readonly {
    readonly name: string;
    readonly flatness?: { readonly last: number };
  }[];
  readonly checks: readonly { readonly check: string; readonly ok: boolean }[];
}

const namesOf = (of: number, from: number): readonly string[] =>
  planFaults(of, seededRandom(from)).map(({ fault }) => fault.name);

describe.skipIf(cloudMissing() !== undefined)('npm run soak -- --minutes 1', () => {
  it('loses nothing, has nothing twice and leaves nothing stuck', {
    timeout: 1_200_000,
  }, async () => {
    const said = await runScript(
      'drill/soak/run.js',
      '--minutes',
      String(minutes),
      '--seed',
      String(seed),
      '--json',
    );
    const line = said.split('\n').find((each) => each.startsWith('{'));
    expect(line, said).toBeDefined();
    const { tally, faults, gauges, checks } = JSON.parse(line ?? '') as Told;
    expect(
      checks?.filter(({ ok }) => !ok),
      said,
    ).toEqual([]);
    const { sent, acknowledged, landed, rejected } = tally;
    expect(tally).toMatchObject({ lost: 0, duplicated: 0, stuck: 0 });
    expect(acknowledged).toBe(sent);
    expect(landed + rejected).toBe(sent);
    // How fast it could is for the long form to say.
    expect(sent).toBeGreaterThan(minutes * 60 * 100);
    expect(faults.map(({ name }) => name)).toEqual(namesOf(minutes, seed));
    expect(gauges.filter(({ flatness }) => flatness === undefined)).toEqual([]);
    expect(said).toMatch(/exit 0$/);
  });

  it('says what its options are', async () => {
    for (const wrong of [
      ['--minutes', '0'],
      ['--seed', 'x'],
      ['--rate', '1.5'],
    ]) {
      expect(await runScript('drill/soak/run.js', ...wrong)).toMatch(
        /^expected --minutes [^]*exit 2$/,
      );
    }
  });
});

describe('the faults of a soak', () => {
  it('come one a minute, early enough to heal in it', () => {
    for (const [index, { atMs }] of planFaults(60, seededRandom(seed)).entries()) {
      expect(Math.floor(atMs / minuteMs)).toBe(index);
      expect(atMs % minuteMs).toBeLessThan(minuteMs / 2);
    }
  });

  it('are all of them before one comes again', () => {
    const names = namesOf(soakFaults.length * 2, seed);
    for (const half of [names.slice(0, soakFaults.length), names.slice(soakFaults.length)]) {
      expect([...half].sort()).toEqual(soakFaults.map(({ name }) => name).sort());
    }
  });

  it('are the same for the same seed, and others for another', () => {
    expect(namesOf(10, 5)).toEqual(namesOf(10, 5));
    expect(namesOf(10, 5)).not.toEqual(namesOf(10, 6));
  });
});
