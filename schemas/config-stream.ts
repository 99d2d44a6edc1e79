/**
 * What a stream may ask of the ingress beyond where its events go: to keep what the client was, and
 * to check data against a schema.
 */
import type { Field, FieldValue } from './config-fields.ts';

/** What of the client becomes extension attributes of its events. */
export interface ClientContextConfig {
  /**
   * `clientip`: whole; without the last 8 bits of IPv4 or the last 80 of IPv6; or as a keyed
   * digest.
   */
  readonly ip: 'none' | 'full' | 'truncated' | 'hmac';
  /** `useragent` */
  readonly userAgent: boolean;
  /** `referer` */
  readonly referer: boolean;
}

/** Whether data has to fit a JSON Schema: what does not is refused, or taken with a warning. */
export interface ValidateConfig {
  readonly mode: 'reject' | 'warn';
  /** Absolute. */
  readonly schemaFile: string;
}

/** A secret as it was given, or the file that has it. Belongs into no log and no error. */
export type SecretConfig = { readonly text: string } | { readonly file: string };

export const contextFields: Readonly<Record<string, Field>> = {
  ip: { type: 'string', default: 'none', oneOf: ['none', 'full', 'truncated', 'hmac'] },
  user_agent: { type: 'boolean', default: false },
  referer: { type: 'boolean', default: false },
};

/** Undefined where nothing is asked for. */
export function clientContextOf(
  values: Readonly<Record<string, FieldValue>>,
): ClientContextConfig | undefined {
  const ip = values['ip'] as ClientContextConfig['ip'];
  const userAgent = values['user_agent'] === true;
  const referer = values['referer'] === true;
  return ip === 'none' && !userAgent && !referer ? undefined : { ip, userAgent, referer };
}
