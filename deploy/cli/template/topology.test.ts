/**
 * The topology in the test driver: time is moved by hand.
 */
import { createDriver, event } from 'sluice/testing';
import { expect, it } from 'vitest';
import shop from './topology.ts';

const now = Date.parse('2026-01-01T12:00:00Z');

const clickAt = (clickedAt: string, id: string, user = 'ann') =>
  event({ user, promo: 'shoes', price: 0.1, clickedAt: `2026-01-01T12:${clickedAt}Z` }, { id });
const impressionAt = (seenAt: string, user = 'ann') =>
  event({ user, promo: 'shoes', seenAt: `2026-01-01T12:${seenAt}Z` });

it('counts clicks by promotion and minute, each click once', async () => {
  const driver = await createDriver(shop, { now });
  await driver.push('clicks', [
    clickAt('00:05', 'c1'),
    clickAt('00:59', 'c2', 'bob'),
    clickAt('01:00', 'c3'),
    clickAt('00:05', 'c1'),
  ]);
  await driver.advanceWatermark('max');
  expect(driver.read('per-minute-table').map((row) => row.value)).toEqual([
    { promo: 'shoes', minute: '2026-01-01T12:00:00.000Z', clicks: 2, revenue: 0.2, users: 2 },
    { promo: 'shoes', minute: '2026-01-01T12:01:00.000Z', clicks: 1, revenue: 0.1, users: 1 },
  ]);
});

it('gives each click the impression before it, or none', async () => {
  const driver = await createDriver(shop, { now });
  await driver.push('impressions', impressionAt('00:00'));
  await driver.push('clicks', [clickAt('10:00', 'seen'), clickAt('10:00', 'unseen', 'bob')]);
  expect(driver.read('attributed').map((row) => row.value)).toMatchObject([
    { id: 'seen', seen: '2026-01-01T12:00:00Z' },
  ]);
  // Only when no impression can come any more is it sure that there was none.
  await driver.advanceWatermark('max');
  expect(driver.read('attributed').map((row) => row.value)).toMatchObject([
    { id: 'unseen', seen: null },
  ]);
});

it('takes a click 30 seconds after its minute, and sends a later one to the rejected table', async () => {
  const driver = await createDriver(shop, { now });
  await driver.push('clicks', clickAt('00:05', 'c1'));
  await driver.advanceWatermark(Date.parse('2026-01-01T12:01:29Z'));
  driver.read('per-minute-table');
  await driver.push('clicks', clickAt('00:06', 'late-but-taken'));
  expect(driver.read('per-minute-table').map((row) => row.value)).toMatchObject([{ clicks: 2 }]);
  await driver.advanceWatermark(Date.parse('2026-01-01T12:01:30Z'));
  await driver.push('clicks', clickAt('00:07', 'too-late'));
  expect(driver.read('per-minute-table')).toEqual([]);
  expect(driver.read('per-minute-late').map((row) => row.value)).toMatchObject([
    { id: 'too-late' },
  ]);
});
