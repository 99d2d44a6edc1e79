/**
 * Objects in S3 while it does what it does in production: it asks to slow down, answers drop by
 * drop, and loses a call of many. Against moto, through a proxy; time-outs and pauses run a hundred
 * times as fast, ten times where bytes take time.
 */
import { describe, expect, it } from 'vitest';
import type { S3Objects, S3ObjectsOptions } from '../../../../deploy/stores/s3/s3-objects.ts';
import { s3Objects, s3SinglePutMaxBytes } from '../../../../deploy/stores/s3/s3-objects.ts';
import { s3PartBytes, s3PartsMax } from '../../../../deploy/stores/s3/s3-upload.ts';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../../schemas/kernel/random.ts';
import { limits } from '../../../../schemas/limits.ts';
import { fasterClock } from '../../../enrich/support.ts';
import { saying } from '../../../said.ts';
import { pythonMissing } from '../../../servers/cache.ts';
import type { Asked, Fault } from '../../../servers/fault-proxy.ts';
import { pass, slowDown } from '../../../servers/fault-proxy.ts';
import { motoRig } from './support.ts';

const fastClock = fasterClock(100);
const patienceMs = limits.s3PatienceMs;

describe.skipIf(pythonMissing() !== undefined)('objects in S3', { timeout: 120_000 }, () => {
  const rig = motoRig('objects');
  let made = 0;
  const make = (options: Partial<S3ObjectsOptions> = {}): S3Objects =>
    s3Objects({
      ...rig().place,
      prefix: `o-${made++}`,
      clock: fastClock,
      random: systemRandom,
      ...options,
    });
  const large = new Uint8Array(s3SinglePutMaxBytes + 5 * s3PartBytes + 17).fill(7);
  const isPart = ({ method, path }: Asked): boolean =>
    method === 'PUT' && path.includes('partNumber=');
  const isCompletion = ({ method, path }: Asked): boolean =>
    method === 'POST' && path.includes('uploadId=');
  const isAbort = ({ method, path }: Asked): boolean =>
    method === 'DELETE' && path.includes('uploadId=');
  const refusing = (status: number, code: string): Fault => ({
    kind: 'answer',
    status,
    body: `<Error><Code>${code}</Code></Error>`,
  });

  for (const [what, fault] of [
    ['503 SlowDown', slowDown],
    ['503 without a body', { kind: 'answer', status: 503, body: '' }],
    ['503 ServiceUnavailable', refusing(503, 'ServiceUnavailable')],
    ['429 TooManyRequests', refusing(429, 'TooManyRequests')],
    ['500 InternalError', refusing(500, 'InternalError')],
    ['connections that end', { kind: 'reset' }],
  ] as const) {
    it(`outlasts more of ${what} than it has tries, where it has patience, and fails where it has none`, async () => {
      const answers = 2 * limits.s3AttemptsMax;
      const patient = make({ patienceMs });
      for (const call of [
        () => patient.put('a', Buffer.from('1')),
        () => patient.head('a'),
        () => patient.get('a'),
        () => patient.list('a'),
        () => patient.delete('a'),
      ]) {
        rig().proxy.asked.length = 0;
        rig().proxy.decide = (_asked, nth) => (nth < answers ? fault : pass);
        await call();
        expect(rig().proxy.asked).toHaveLength(answers + 1);
      }
      rig().proxy.decide = () => fault;
      await expect(make().get('a')).rejects.toMatchObject({ code: 's3-failed', retryable: true });
      patient.close();
    });
  }

  it('gives up when its patience is over', async () => {
    rig().proxy.decide = () => slowDown;
    const objects = make({ patienceMs: 60_000 });
    await expect(objects.put('a', Buffer.from('1'))).rejects.toMatchObject({
      code: 's3-failed',
      message: saying({ names: ['a'] }),
      details: { operation: 'PutObject', failure: 'SlowDown' },
    });
    objects.close();
  });

  it('does not take a right that is missing for something that passes', async () => {
    rig().proxy.decide = () => refusing(403, 'AccessDenied');
    const objects = make({ patienceMs });
    await expect(objects.put('a', Buffer.from('1'))).rejects.toMatchObject({ code: 's3-refused' });
    expect(rig().proxy.asked).toHaveLength(1);
    objects.close();
  });

  it('puts a part that failed again, and only that', async () => {
    const failing = new Map<string, number>();
    rig().proxy.decide = (asked) => {
      if (!isPart(asked)) return pass;
      const failures = failing.get(asked.path) ?? 0;
      failing.set(asked.path, failures + 1);
      // Each part fails twice: an upload that began anew each time would hardly ever end.
      return failures < 2 ? slowDown : pass;
    };
    const objects = make({ clock: systemClock });
    await objects.put('large', large);
    expect(Buffer.compare((await objects.get('large')) ?? new Uint8Array(), large)).toBe(0);
    const parts = Math.ceil(large.length / s3PartBytes);
    expect(rig().proxy.asked.filter(isPart)).toHaveLength(3 * parts);
    expect(rig().proxy.asked.filter(isAbort)).toHaveLength(0);
    objects.close();
  });

  it('has parts under way side by side', async () => {
    let waiting = 0;
    let release: () => void = () => undefined;
    const all = new Promise<void>((resolve) => {
      release = resolve;
    });
    // None is answered before as many came as may be under way: one after the other would never
    // end.
    rig().proxy.decide = (asked) => {
      if (!isPart(asked)) return pass;
      if (++waiting === s3PartsMax) release();
      return { kind: 'held', until: all };
    };
    const objects = make({ clock: systemClock });
    await objects.put('large', large);
    objects.close();
  });

  it('ends a completion that is answered with white space without end, and finds that the object is there', async () => {
    let endless = 1;
    rig().proxy.decide = (asked) =>
      isCompletion(asked) && endless-- > 0 ? { kind: 'endless-reply' } : pass;
    const objects = make({ clock: fasterClock(10) });
    expect(await objects.create('large', large)).toBe(true);
    expect(rig().proxy.asked.filter(isCompletion)).toHaveLength(2);
    expect(await objects.create('large', large)).toBe(false);
    objects.close();
  });

  it('says that a completion failed when none ever ends, and aborts what it began', async () => {
    rig().proxy.decide = (asked) =>
      isCompletion(asked) ? { kind: 'held', until: new Promise(() => undefined) } : pass;
    const objects = make({ clock: fasterClock(10) });
    await expect(objects.put('never', large)).rejects.toMatchObject({
      code: 's3-failed',
      retryable: true,
    });
    await expect.poll(() => rig().proxy.asked.filter(isAbort).length).toBeGreaterThan(0);
    objects.close();
  });

  it('ends every call whose answer never ends', async () => {
    const objects = make();
    await objects.put('a', Buffer.from('abc'));
    for (const [call, expected] of [
      [() => objects.get('a').then((bytes) => Buffer.from(bytes ?? []).toString()), 'abc'],
      [() => objects.list('a'), ['a']],
      [() => objects.put('b', Buffer.from('b')), undefined],
      [() => objects.delete('b'), undefined],
    ] as const) {
      rig().proxy.decide = (_asked, nth) => (nth === 0 ? { kind: 'endless-reply' } : pass);
      expect(await call()).toEqual(expected);
    }
    objects.close();
  });
});
