/**
 * Which protocol a body of `POST /v1/{team}/{app}` is of, by its Content-Type (RFC 9110, section
 * 8.3) and its `ce-` headers. Pure but for what it remembers.
 *
 * Invariants:
 * 1. JSON is UTF-8 (RFC 8259, section 8.1): a charset parameter that says another is refused, in
 *    any case, quoted or not, wherever it stands.
 * 2. Parameters that mean nothing here, or are written wrong, change nothing; a type that is
 *    written wrong is refused.
 */
import { checkCharset, mediaOf } from '../event/media-type.ts';
import type { BinaryHeaders } from '../event/read-body.ts';
import type { Refusal } from '../event/refusal.ts';
import type { BodyProtocol } from './protocol.ts';

export class BodyMatcher {
  readonly #bodies: readonly BodyProtocol[];
  readonly #byType = new Map<string, BodyProtocol>();
  /** By whole values of Content-Type: needs no reading. */
  readonly #common = new Map<string, BodyProtocol>();
  /** What nearly every request has that follows another. */
  #lastType = '';
  #last: BodyProtocol | undefined;

  constructor(bodies: readonly BodyProtocol[]) {
    this.#bodies = bodies;
    for (const body of bodies) {
      for (const type of body.match.types) this.#byType.set(type, body);
      for (const value of [...body.match.types, ...(body.match.common ?? [])])
        this.#common.set(value, body);
    }
  }

  match(contentType: string, ce: BinaryHeaders | undefined): BodyProtocol | Refusal {
    if (ce !== undefined) return this.#read(contentType, ce);
    if (contentType === this.#lastType && this.#last !== undefined) return this.#last;
    const common = this.#common.get(contentType);
    if (common === undefined) return this.#read(contentType, ce);
    this.#lastType = contentType;
    this.#last = common;
    return common;
  }

  #read(contentType: string, ce: BinaryHeaders | undefined): BodyProtocol | Refusal {
    const media = mediaOf(contentType);
    return (
      checkCharset(contentType) ??
      (ce === undefined ? undefined : this.#asked(media, ce)) ??
      this.#byType.get(media) ??
      this.#asked(media, ce) ??
      this.#unknown(media)
    );
  }

  #asked(media: string, ce: BinaryHeaders | undefined): BodyProtocol | undefined {
    return this.#bodies.find(({ match }) => match.matches?.(media, ce) === true);
  }

  #unknown(media: string): Refusal {
    const expected = this.#bodies.flatMap(({ match }) => match.expected ?? []);
    return {
      status: 400,
      code: 'content-type-unknown',
      message: `the content type '${media.slice(0, 100)}' is not supported`,
      expected: `${expected.slice(0, -1).join(', ')} or ${expected.at(-1)}`,
    };
  }
}
