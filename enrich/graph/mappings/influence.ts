/**
 * The ready mapping `influence`: which promos and referrers came before which conversions, as a
 * graph.
 *
 *     (:User {id})-[:SAW {at}]->(:Promo {id})
 *     (:Referrer {host})-[:BROUGHT {at}]->(:User)
 *     (:User)-[:CONVERTED]->(:Conversion {id, at, value})
 *     (:Promo)-[:PRECEDED {position, secondsBefore, firstTouch, lastTouch, touches}]->(:Conversion)
 *     (:Referrer)-[:REFERRED {the same}]->(:Conversion)
 *
 * Times are whole epoch milliseconds, `secondsBefore` is seconds with a fraction. A touch is an
 * element that shows a promo or comes from a referrer; each touch is an edge of its own, told apart
 * by `at`. A promo's touches precede a conversion when they are of the same user and the same
 * window and come before it: earlier, or at the same time with a lesser id, or in the very element.
 * PRECEDED is one edge for a promo and a conversion: `touches` is how often this promo preceded it;
 * `position` and `secondsBefore` are of its last such touch, where position counts all promos'
 * touches from the conversion backwards, from 1; `firstTouch` and `lastTouch` say whether the first
 * or the last of all promos' touches was this one's. REFERRED is the same among referrers. An
 * earlier conversion takes nothing away from a later one.
 *
 * The window is how far attribution reaches: `session('7d')` follows a user as long as no week goes
 * by without an element.
 *
 * Which windows it is exact for: those that fire once; and accumulating ones that fire again
 * (`allowedLateness`, `early`), because a later firing has all the elements of an earlier one and
 * writes all its edges again. A discarding window knows only what came since: it would tell wrong
 * positions, and the mapping cannot see that it is one.
 *
 * Invariants:
 * 1. Writes are a function of the set of the window's elements; a replay repeats them.
 * 2. Every value is absolute; with unique ids, the edges of a set of elements are among those of
 *    any larger one.
 *
 * Elements and conversions are told apart by their ids in all of the graph: put `deduplicate`
 * before. A conversion's id that comes twice in a path counts where it is first.
 */
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { limits } from '../../../schemas/limits.ts';
import type { Aggregate, WriteOf } from '../../../topology/index.ts';
import { graphModel } from '../../../topology/index.ts';
import type { GraphQuestion, PathElement, PathWindow } from './path.ts';
import { groupedBy, keyText, pathOf, refusedElement, timeOf } from './path.ts';

const touchProps = {
  position: 'integer',
  secondsBefore: 'number',
  firstTouch: 'boolean',
  lastTouch: 'boolean',
  touches: 'integer',
} as const;

const model = graphModel({
  nodes: {
    User: { key: 'id', props: { id: 'string' } },
    Promo: { key: 'id', props: { id: 'string' } },
    Referrer: { key: 'host', props: { host: 'string' } },
    Conversion: { key: 'id', props: { id: 'string', at: 'integer', value: 'number' } },
  },
  edges: {
    SAW: { from: 'User', to: 'Promo', key: ['at'], props: { at: 'integer' } },
    BROUGHT: { from: 'Referrer', to: 'User', key: ['at'], props: { at: 'integer' } },
    CONVERTED: { from: 'User', to: 'Conversion' },
    PRECEDED: { from: 'Promo', to: 'Conversion', props: touchProps },
    REFERRED: { from: 'Referrer', to: 'Conversion', props: touchProps },
  },
});

type InfluenceWrite = WriteOf<typeof model>;

/**
 * How the mapping reads an element; what is undefined, the element is not. Text that is a key has
 * at most `limits.graphKeyMaxBytes` bytes.
 */
export interface InfluenceOptions<in T> {
  /** Unique among all elements. */
  readonly id: (value: T) => string;
  /** RFC 3339 or whole epoch ms: the same that `eventTime` was given. */
  readonly time: (value: T) => string | number;
  readonly user: (value: T) => string;
  /** The id of the promo that was shown or clicked. */
  readonly promo?: (value: T) => string | undefined;
  /** The host that the user came from; a site's own is better left out. */
  readonly referrer?: (value: T) => string | undefined;
  /**
   * The conversion, an order for example, and what it is worth: a finite number in whatever unit.
   */
  readonly conversion: (
    value: T,
  ) => { readonly id: string; readonly value?: number | undefined } | undefined;
}

/** An element of a path that is a touch, a conversion, or several of them. */
export interface InfluenceStep extends PathElement {
  readonly user: string;
  readonly promo: string | null;
  readonly referrer: string | null;
  readonly conversion: { readonly id: string; readonly value: number | null } | null;
}

export interface Influence<in T> {
  readonly model: typeof model;
  /**
   * Collects a window's touches and conversions. Refuses alone an element that it cannot read
   * (`path-element`), and one too many (`path-full`).
   */
  readonly path: Aggregate<T, readonly InfluenceStep[]>;
  /**
   * The writes of a window's result. Throws `influence-too-large` past `graphStagedMaxWrites`: many
   * conversions behind many promos.
   */
  readonly writes: (window: PathWindow<InfluenceStep>) => readonly InfluenceWrite[];
}

/**
 * The mapping for elements of type `T`.
 *
 * @example
 * const influences = influence<Step>({
 *   id: (s) => s.id,
 *   time: (s) => s.at,
 *   user: (s) => s.user,
 *   promo: (s) => s.promo,
 *   conversion: (s) => (s.order === undefined ? undefined : { id: s.order, value: s.price }),
 * });
 * steps
 *   .keyBy((s) => s.user)
 *   .window('attribution', session('7d'))
 *   .aggregate({ path: influences.path })
 *   .out.sinkTo('influence', graph(influences.model, influences.writes));
 */
export function influence<T>(options: InfluenceOptions<T>): Influence<T> {
  const { id, time, user, promo, referrer, conversion } = options;
  const path = pathOf((value: T): InfluenceStep | undefined => {
    const [shown, from, done] = [promo?.(value), referrer?.(value), conversion(value)];
    if (shown === undefined && from === undefined && done === undefined) return undefined;
    return {
      id: keyText('the id', id(value)),
      at: timeOf(time(value)),
      user: keyText('the user', user(value)),
      promo: shown === undefined ? null : keyText('the promo', shown),
      referrer: from === undefined ? null : keyText('the referrer', from),
      conversion:
        done === undefined
          ? null
          : {
              id: keyText("the conversion's id", done.id),
              value: done.value === undefined ? null : worth(done.value),
            },
    };
  });
  return Object.freeze({ model, path, writes });
}

function worth(value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw refusedElement("the conversion's value must be a finite number");
}

function writes({ path }: PathWindow<InfluenceStep>): readonly InfluenceWrite[] {
  const made: InfluenceWrite[] = [];
  const converted = new Set<string>();
  for (const [user, steps] of groupedBy(path, (step) => step.user)) {
    const promos = new Touches();
    const referrers = new Touches();
    for (const { at, promo, referrer, conversion } of steps) {
      if (promo !== null) {
        promos.add(promo, at);
        made.push(model.SAW({ from: user, to: promo, at }));
      }
      if (referrer !== null) {
        referrers.add(referrer, at);
        made.push(model.BROUGHT({ from: referrer, to: user, at }));
      }
      if (conversion === null || converted.has(conversion.id)) continue;
      const { id: to, value } = conversion;
      converted.add(to);
      checkSize(made.length + promos.different + referrers.different + 2);
      made.push(model.Conversion({ id: to, at, value }), model.CONVERTED({ from: user, to }));
      for (const [from, props] of promos.before(at))
        made.push(model.PRECEDED({ from, to, ...props }));
      for (const [from, props] of referrers.before(at))
        made.push(model.REFERRED({ from, to, ...props }));
    }
  }
  return made;
}

function checkSize(count: number): void {
  if (count <= limits.graphStagedMaxWrites) return;
  throw new SluiceError(
    'influence-too-large',
    `a path may have at most ${limits.graphStagedMaxWrites} writes: too many conversions came after too many promos; a shorter gap ends paths sooner`,
  );
}

interface TouchValues {
  readonly position: number;
  readonly secondsBefore: number;
  readonly firstTouch: boolean;
  readonly lastTouch: boolean;
  readonly touches: number;
}

/** The touches of one user so far, by what touched. */
class Touches {
  /** In the order of first touches. */
  readonly #by = new Map<string, { touches: number; last: number; at: number }>();
  #total = 0;

  get different(): number {
    return this.#by.size;
  }

  add(by: string, at: number): void {
    this.#total++;
    const { touches = 0 } = this.#by.get(by) ?? {};
    this.#by.set(by, { touches: touches + 1, last: this.#total, at });
  }

  /** What each was to a conversion at `convertedAt`, which comes after all of them. */
  *before(convertedAt: number): Generator<readonly [by: string, values: TouchValues]> {
    let first = true;
    for (const [by, { touches, last, at }] of this.#by) {
      const position = this.#total - last + 1;
      yield [
        by,
        {
          position,
          secondsBefore: (convertedAt - at) / 1_000,
          firstTouch: first,
          lastTouch: position === 1,
          touches,
        },
      ];
      first = false;
    }
  }
}

/**
 * What an influence graph is asked, to run as it stands or to begin from. A conversion without a
 * value counts as 0 in sums.
 */
export const influenceQuestions = {
  promos: {
    title: 'Which promos precede conversions most often?',
    cypher: `MATCH (p:Promo)-[r:PRECEDED]->(:Conversion)
RETURN p.id AS promo, count(*) AS conversions, sum(r.touches) AS touches
ORDER BY conversions DESC, promo LIMIT 20`,
  },
  firstTouchPromos: {
    title: 'To which promos are conversions and their value due, if the first touch counts?',
    cypher: `MATCH (p:Promo)-[r:PRECEDED]->(c:Conversion)
WHERE r.firstTouch = true
RETURN p.id AS promo, count(*) AS conversions, sum(coalesce(c.value, 0.0)) AS total
ORDER BY conversions DESC, promo LIMIT 20`,
  },
  lastTouchPromos: {
    title: 'To which promos are conversions and their value due, if the last touch counts?',
    cypher: `MATCH (p:Promo)-[r:PRECEDED]->(c:Conversion)
WHERE r.lastTouch = true
RETURN p.id AS promo, count(*) AS conversions, sum(coalesce(c.value, 0.0)) AS total
ORDER BY conversions DESC, promo LIMIT 20`,
  },
  delays: {
    title: 'How long before a conversion was a promo seen last, in seconds?',
    cypher: `MATCH (p:Promo)-[r:PRECEDED]->(:Conversion)
RETURN p.id AS promo, count(*) AS conversions, avg(r.secondsBefore) AS mean_s, min(r.secondsBefore) AS least_s, max(r.secondsBefore) AS most_s
ORDER BY conversions DESC, promo LIMIT 20`,
  },
  promosWithoutConversion: {
    title: 'Which promos are seen and precede no conversion?',
    cypher: `MATCH (u:User)-[:SAW]->(p:Promo)
WHERE NOT EXISTS { MATCH (p)-[:PRECEDED]->(:Conversion) }
RETURN p.id AS promo, count(DISTINCT u.id) AS visitors
ORDER BY visitors DESC, promo LIMIT 20`,
  },
  firstTouchReferrers: {
    title: 'To which referrers are conversions and their value due, if the first touch counts?',
    cypher: `MATCH (f:Referrer)-[r:REFERRED]->(c:Conversion)
WHERE r.firstTouch = true
RETURN f.host AS referrer, count(*) AS conversions, sum(coalesce(c.value, 0.0)) AS total
ORDER BY conversions DESC, referrer LIMIT 20`,
  },
  lastTouchReferrers: {
    title: 'To which referrers are conversions and their value due, if the last touch counts?',
    cypher: `MATCH (f:Referrer)-[r:REFERRED]->(c:Conversion)
WHERE r.lastTouch = true
RETURN f.host AS referrer, count(*) AS conversions, sum(coalesce(c.value, 0.0)) AS total
ORDER BY conversions DESC, referrer LIMIT 20`,
  },
  referrerThenPromo: {
    title:
      'Which referrer brings visitors first, and which promo do they see last before they convert?',
    cypher: `MATCH (f:Referrer)-[a:REFERRED]->(c:Conversion)<-[b:PRECEDED]-(p:Promo)
WHERE a.firstTouch = true AND b.lastTouch = true
RETURN f.host AS referrer, p.id AS promo, count(*) AS conversions
ORDER BY conversions DESC, referrer, promo LIMIT 20`,
  },
} as const satisfies Readonly<Record<string, GraphQuestion>>;
