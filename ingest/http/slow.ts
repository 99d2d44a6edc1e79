/**
 * Why a body is not waited for any longer.
 */
import { limits } from '../../schemas/limits.ts';
import type { Refusal } from '../event/refusal.ts';

export const tooSlow: Refusal = {
  status: 408,
  code: 'body-too-slow',
  message: `no part of the body arrived for ${limits.bodyIdleMs / 1_000} seconds`,
  expected: 'the whole body; send it again',
};

export const strangerTooSlow: Refusal = {
  status: 408,
  code: 'body-too-slow',
  message: `the body did not arrive within ${limits.strangerBodyMaxMs / 1_000} seconds`,
  expected: 'the key in the head of the request (Authorization), with which a body may take longer',
};
