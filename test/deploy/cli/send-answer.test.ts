/**
 * What answers mean for the events that were posted.
 */
import { describe, expect, it } from 'vitest';
import { decideAnswer, retryAfterMs } from '../../../deploy/cli/commands/send/send-answer.ts';

describe('what an answer means', () => {
  it('for each event of a batch that was answered', () => {
    const results = [
      { index: 0, status: 200, route: 'kafka' },
      {
        index: 1,
        status: 400,
        error: { code: 'not-json', message: 'm', expected: 'e', pointer: '/a' },
      },
      { index: 2, status: 503 },
      { index: 3, status: 429 },
      { index: 4, status: 409, error: { code: 'id-conflict', message: 'm' } },
    ];
    expect(decideAnswer({ status: 207, body: JSON.stringify({ results }) }, 5)).toEqual({
      kind: 'events',
      results: [
        { kind: 'sent', route: 'kafka' },
        {
          kind: 'refused',
          refusal: { code: 'not-json', message: 'm', expected: 'e', pointer: '/a' },
        },
        { kind: 'again' },
        { kind: 'again' },
        { kind: 'refused', refusal: { code: 'id-conflict', message: 'm' } },
      ],
    });
  });

  it('for a whole request: again, halved, refused, or never', () => {
    for (const status of [0, 408, 425, 429, 500, 502, 503])
      expect(decideAnswer({ status, body: 'gone' }, 2)).toEqual({ kind: 'all-again' });
    const tooLarge = { status: 413, body: '{"error":{"code":"body-too-large","message":"m"}}' };
    expect(decideAnswer(tooLarge, 2)).toEqual({ kind: 'halve' });
    expect(decideAnswer(tooLarge, 1)).toEqual({
      kind: 'events',
      results: [{ kind: 'refused', refusal: { code: 'body-too-large', message: 'm' } }],
    });
    expect(
      decideAnswer({ status: 409, body: '{"error":{"code":"conflict","message":"m"}}' }, 1),
    ).toMatchObject({
      results: [{ refusal: { code: 'conflict' } }],
    });
    for (const status of [204, 301, 401, 403, 404, 405, 421])
      expect(
        decideAnswer({ status, body: '{"error":{"code":"x","message":"m"}}' }, 2),
      ).toMatchObject({
        kind: 'stop',
        fix: expect.stringMatching(/./) as string,
      });
  });

  it('in lines: in any order, and an event without one goes again', () => {
    const body =
      '{"index":2,"status":200,"id":"c","route":"kafka","position":"p:1"}\n{"index":0,"status":400,"error":{"code":"not-json","message":"m"}}\n{"verdict":429,"accepted":1,"refused":1,"retryAfter":7}\n';
    expect(decideAnswer({ status: 207, body }, 3)).toEqual({
      kind: 'events',
      waitSeconds: 7,
      results: [
        { kind: 'refused', refusal: { code: 'not-json', message: 'm' } },
        { kind: 'again' },
        { kind: 'sent', route: 'kafka' },
      ],
    });
  });

  it('how long it asks to wait: seconds, or until a date', () => {
    const now = Date.parse('2026-01-02T03:04:05Z');
    const waits = [
      '7',
      'Fri, 02 Jan 2026 03:04:15 GMT',
      'Fri, 02 Jan 2026 03:00:00 GMT',
      'soon',
      undefined,
    ];
    expect(waits.map((value) => retryAfterMs(value, now))).toEqual([7_000, 10_000, 0, 0, 0]);
  });
});
