/**
 * The ready mapping `journey`: what a user did in each session, page after page, as a graph.
 *
 *     (:User {id})-[:HAD]->(:Session {id, user, startedAt, endedAt, events})
 *     (:Session)-[:HAS {position}]->(:Event {id, type, at})
 *     (:Event)-[:ON_PAGE]->(:Page {url})
 *     (:Event)-[:NEXT {gapMs}]->(:Event)
 *
 * Times are whole epoch milliseconds. A session's `startedAt` and `endedAt` are its first and last
 * event's times, `events` is their number, and positions count from 1. NEXT joins neighbours of one
 * session and never two sessions. A session is called `<user>@<startedAt>`, or as the `session`
 * accessor says.
 *
 * Which windows it is exact for: those that fire once, so session windows without `allowedLateness`
 * and `early`; elements that come too late go to the side output. A window that fires again has
 * written NEXT a -> c before it knows of a -> b -> c, and may have called its session by what is no
 * longer its first event: absolute values cannot take that back. So a result is refused as a whole
 * when its window fired before or can fire again. Tumbling windows cut sessions at their bounds;
 * sliding ones repeat each event in several.
 *
 * Invariants:
 * 1. Writes are a function of the set of the window's elements; a replay repeats them.
 * 2. Every value is absolute.
 *
 * Events are told apart by `id` in all of the graph: put `deduplicate` before, so that a repeat
 * does not begin a session of its own. Where session ids are given, key by them, and let the gap be
 * longer than any pause within one id: an id that comes back after its window fired would write its
 * session's numbers again, for the later part alone. A session whose user changes (a visitor signs
 * in) is had by each of them, and its `user` is the last one.
 */
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Aggregate, WriteOf } from '../../../topology/index.ts';
import { graphModel } from '../../../topology/index.ts';
import type { GraphQuestion, PathElement, PathWindow } from './path.ts';
import { groupedBy, keyText, pathOf, timeOf } from './path.ts';

const model = graphModel({
  nodes: {
    User: { key: 'id', props: { id: 'string' } },
    Session: {
      key: 'id',
      props: {
        id: 'string',
        user: 'string',
        startedAt: 'integer',
        endedAt: 'integer',
        events: 'integer',
      },
    },
    Event: { key: 'id', props: { id: 'string', type: 'string', at: 'integer' } },
    Page: { key: 'url', props: { url: 'string' } },
  },
  edges: {
    HAD: { from: 'User', to: 'Session' },
    HAS: { from: 'Session', to: 'Event', props: { position: 'integer' } },
    ON_PAGE: { from: 'Event', to: 'Page' },
    NEXT: { from: 'Event', to: 'Event', props: { gapMs: 'integer' } },
  },
});

/**
 * How the mapping reads an element. Text that is a key has at most `limits.graphKeyMaxBytes` bytes.
 */
export interface JourneyOptions<in T> {
  /** Unique among all events of the graph. */
  readonly id: (value: T) => string;
  /** RFC 3339 or whole epoch ms: the same that `eventTime` was given. */
  readonly time: (value: T) => string | number;
  readonly user: (value: T) => string;
  /** The page's address as it is to be one node: without the query, mostly. */
  readonly page: (value: T) => string;
  /** What happened there. Default: the graph does not say. */
  readonly event?: (value: T) => string;
  /**
   * The session's id, where the events have one. Default: made of the user and the first event's
   * time.
   */
  readonly session?: (value: T) => string;
}

/** An event of a path. */
export interface Visit extends PathElement {
  readonly user: string;
  readonly session: string | null;
  readonly page: string;
  readonly type: string | null;
}

export interface Journey<in T> {
  readonly model: typeof model;
  /**
   * Collects a window's elements. Refuses alone an element that it cannot read (`path-element`),
   * and one too many (`path-full`).
   */
  readonly path: Aggregate<T, readonly Visit[]>;
  /**
   * The writes of a window's result. Throws `journey-window` where the window fired before or can
   * fire again.
   */
  readonly writes: (window: PathWindow<Visit>) => readonly WriteOf<typeof model>[];
}

/**
 * The mapping for elements of type `T`.
 *
 * @example
 * const visits = journey<Click>({
 *   id: (c) => c.id,
 *   time: (c) => c.clickedAt,
 *   user: (c) => c.user,
 *   page: (c) => c.page,
 * });
 * clicks
 *   .keyBy((c) => c.user)
 *   .window('sessions', session('30m'))
 *   .aggregate({ path: visits.path })
 *   .out.sinkTo('journey', graph(visits.model, visits.writes));
 */
export function journey<T>(options: JourneyOptions<T>): Journey<T> {
  const { id, time, user, page, event, session } = options;
  const path = pathOf((value: T): Visit => {
    return {
      id: keyText('the id', id(value)),
      at: timeOf(time(value)),
      user: keyText('the user', user(value), session === undefined ? startMaxBytes : 0),
      session: session === undefined ? null : keyText('the session', session(value)),
      page: keyText('the page', page(value)),
      type: event === undefined ? null : keyText('the kind of event', event(value)),
    };
  });
  return Object.freeze({ model, path, writes });
}

/** Of `@` and a time within 2^53. */
const startMaxBytes = 18;

function writes({ pane, path }: PathWindow<Visit>): readonly WriteOf<typeof model>[] {
  if (pane.index > 0 || !pane.last) {
    throw new SluiceError(
      'journey-window',
      'a journey needs windows that fire once, without allowedLateness and early firings',
    );
  }
  return [...groupedBy(path, ({ session, user }) => session ?? user).values()].flatMap(
    sessionWrites,
  );
}

/** Of the events of one session, in order. */
function sessionWrites(visits: readonly Visit[]): readonly WriteOf<typeof model>[] {
  const [first, last] = [visits[0], visits.at(-1)];
  if (first === undefined || last === undefined) return [];
  const id = first.session ?? `${first.user}@${first.at}`;
  return [
    model.Session({
      id,
      user: last.user,
      startedAt: first.at,
      endedAt: last.at,
      events: visits.length,
    }),
    ...[...new Set(visits.map(({ user }) => user))].map((user) =>
      model.HAD({ from: user, to: id }),
    ),
    ...visits.flatMap((visit, index) => {
      const before = visits[index - 1];
      return [
        model.Event({ id: visit.id, type: visit.type ?? undefined, at: visit.at }),
        model.HAS({ from: id, to: visit.id, position: index + 1 }),
        model.ON_PAGE({ from: visit.id, to: visit.page }),
        ...(before === undefined
          ? []
          : [model.NEXT({ from: before.id, to: visit.id, gapMs: visit.at - before.at })]),
      ];
    }),
  ];
}

/** What a journey graph is asked, to run as it stands or to begin from. */
export const journeyQuestions = {
  steps: {
    title: 'Which steps from page to page are the most frequent?',
    cypher: `MATCH (p:Page)<-[:ON_PAGE]-(:Event)-[:NEXT]->(:Event)-[:ON_PAGE]->(q:Page)
RETURN p.url AS page, q.url AS next, count(*) AS steps
ORDER BY steps DESC, page, next LIMIT 20`,
  },
  threePages: {
    title: 'Which three pages are seen one after the other most often?',
    cypher: `MATCH (p:Page)<-[:ON_PAGE]-(:Event)-[:NEXT]->(b:Event)-[:NEXT]->(:Event)-[:ON_PAGE]->(r:Page)
MATCH (b)-[:ON_PAGE]->(q:Page)
RETURN p.url AS first, q.url AS second, r.url AS third, count(*) AS times
ORDER BY times DESC, first, second, third LIMIT 20`,
  },
  entries: {
    title: 'Where do sessions begin?',
    cypher: `MATCH (s:Session)-[h:HAS]->(:Event)-[:ON_PAGE]->(p:Page)
WHERE h.position = 1
RETURN p.url AS page, count(*) AS sessions
ORDER BY sessions DESC, page LIMIT 20`,
  },
  exits: {
    title: 'On which pages do sessions end, and how often are those seen at all?',
    cypher: `MATCH (s:Session)-[h:HAS]->(:Event)-[:ON_PAGE]->(p:Page)
RETURN p.url AS page, sum(CASE WHEN h.position = s.events THEN 1 ELSE 0 END) AS exits, count(*) AS views
ORDER BY exits DESC, page LIMIT 20`,
  },
  stays: {
    title: 'How long is it from a page to the next, in milliseconds?',
    cypher: `MATCH (p:Page)<-[:ON_PAGE]-(:Event)-[n:NEXT]->(:Event)
RETURN p.url AS page, count(*) AS stays, avg(n.gapMs) AS mean_ms, max(n.gapMs) AS longest_ms
ORDER BY stays DESC, page LIMIT 20`,
  },
  longestSession: {
    title:
      'What is the path of the session with the most events? (`MATCH (s:Session {id: ...})` asks for another)',
    cypher: `MATCH (s:Session)
WITH s ORDER BY s.events DESC, s.id LIMIT 1
MATCH (s)-[h:HAS]->(e:Event)-[:ON_PAGE]->(p:Page)
RETURN s.id AS session, h.position AS position, e.at AS at, p.url AS page
ORDER BY position`,
  },
  users: {
    title:
      'Who had the most sessions, with how many events, and how long was the longest in milliseconds?',
    cypher: `MATCH (u:User)-[:HAD]->(s:Session)
RETURN u.id AS visitor, count(*) AS sessions, sum(s.events) AS events, max(s.endedAt - s.startedAt) AS longest_ms
ORDER BY sessions DESC, visitor LIMIT 20`,
  },
} as const satisfies Readonly<Record<string, GraphQuestion>>;
