/**
 * The answers to the ready mappings' questions, calculated from the events alone: slowly, and by
 * nothing of what the mappings do.
 */

export interface Step {
  readonly id: string;
  readonly at: number;
  readonly user: string;
  readonly page: string;
  readonly kind: string;
  readonly promo: string | null;
  readonly referrer: string | null;
  readonly order: string | null;
  readonly price: number | null;
}

/** Events of a user no further apart than this are of one session. */
export const gapMs = 1_000;

type Rows = readonly (readonly (string | number)[])[];

const shownRows = 20;

/** The steps of each session in order, sessions in no order. */
function sessionsOf(steps: readonly Step[]): readonly (readonly Step[])[] {
  const sorted = [...steps].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  return [...new Set(steps.map(({ user }) => user))].flatMap((user) => {
    const sessions: Step[][] = [];
    for (const step of sorted.filter((one) => one.user === user)) {
      const last = sessions.at(-1);
      const before = last?.at(-1);
      if (last === undefined || before === undefined || step.at - before.at > gapMs)
        sessions.push([step]);
      else last.push(step);
    }
    return sessions;
  });
}

/**
 * Groups by the texts that `keyOf` gives; a row is those and what `measure` makes of the group, in
 * descending order of column `by`, then of keys.
 */
function ranked<T>(
  items: readonly T[],
  keyOf: (item: T) => readonly string[],
  by: number,
  measure: (group: readonly T[]) => readonly number[],
): Rows {
  const names = [...new Set(items.map((item) => JSON.stringify(keyOf(item))))].sort();
  const rows = names.map((name) => {
    const key = JSON.parse(name) as readonly string[];
    return [...key, ...measure(items.filter((item) => JSON.stringify(keyOf(item)) === name))];
  });
  // The sort is stable: at equal numbers the order of the keys stays.
  return rows.sort((a, b) => Number(b[by]) - Number(a[by])).slice(0, shownRows);
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const mean = (values: readonly number[]): number => total(values) / values.length;
const size = (group: readonly unknown[]): readonly number[] => [group.length];

export function journeyAnswers(steps: readonly Step[]): Readonly<Record<string, Rows>> {
  const sessions = sessionsOf(steps);
  const pairs = sessions.flatMap((one) =>
    one.slice(1).map((to, index) => ({ from: one[index] as Step, to })),
  );
  const triples = sessions.flatMap((one) =>
    one.slice(2).map((third, index) => [one[index] as Step, one[index + 1] as Step, third]),
  );
  const idOf = (one: readonly Step[]): string => `${one[0]?.user}@${one[0]?.at}`;
  const most = Math.max(...sessions.map((one) => one.length));
  const [longest = []] = sessions
    .filter((one) => one.length === most)
    .sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  const views = sessions.flatMap((one) =>
    one.map((step, index) => ({ page: step.page, ends: index === one.length - 1 })),
  );
  return {
    steps: ranked(pairs, ({ from, to }) => [from.page, to.page], 2, size),
    threePages: ranked(triples, (three) => three.map(({ page }) => page), 3, size),
    entries: ranked(sessions, (one) => [(one[0] as Step).page], 1, size),
    exits: ranked(
      views,
      ({ page }) => [page],
      1,
      (group) => [group.filter(({ ends }) => ends).length, group.length],
    ),
    stays: ranked(
      pairs,
      ({ from }) => [from.page],
      1,
      (group) => {
        const gaps = group.map(({ from, to }) => to.at - from.at);
        return [gaps.length, mean(gaps), Math.max(...gaps)];
      },
    ),
    longestSession: longest.map((step, index) => [idOf(longest), index + 1, step.at, step.page]),
    users: ranked(
      sessions,
      (one) => [(one[0] as Step).user],
      1,
      (own) => [
        own.length,
        total(own.map((one) => one.length)),
        Math.max(...own.map((one) => (one.at(-1) as Step).at - (one[0] as Step).at)),
      ],
    ),
  };
}

interface Cause {
  readonly by: string;
  readonly order: Step;
  readonly touches: number;
  readonly first: boolean;
  readonly last: boolean;
  readonly seconds: number;
}

/** What came before each conversion in its session, each cause once. */
function causesOf(
  sessions: readonly (readonly Step[])[],
  by: (step: Step) => string | null,
): readonly Cause[] {
  return sessions.flatMap((one) =>
    one.flatMap((order, index) => {
      if (order.order === null) return [];
      const touches = one.slice(0, index + 1).filter((step) => by(step) !== null);
      return [...new Set(touches.map(by))].map((cause): Cause => {
        const own = touches.filter((touch) => by(touch) === cause);
        return {
          by: cause as string,
          order,
          touches: own.length,
          first: own[0] === touches[0],
          last: own.at(-1) === touches.at(-1),
          seconds: (order.at - (own.at(-1) as Step).at) / 1_000,
        };
      });
    }),
  );
}

export function influenceAnswers(steps: readonly Step[]): Readonly<Record<string, Rows>> {
  // Steps that are no touch and no conversion are in no attribution window's path, but hold the
  // window open all the same.
  const sessions = sessionsOf(steps);
  const promos = causesOf(sessions, ({ promo }) => promo);
  const referrers = causesOf(sessions, ({ referrer }) => referrer);
  const due = (causes: readonly Cause[]): Rows =>
    ranked(
      causes,
      ({ by }) => [by],
      1,
      (group) => [group.length, total(group.map(({ order }) => order.price ?? 0))],
    );
  const preceding = new Set(promos.map(({ by }) => by));
  const journeys = referrers
    .filter(({ first }) => first)
    .flatMap((from) =>
      promos
        .filter(({ last, order }) => last && order === from.order)
        .map((to) => [from.by, to.by] as const),
    );
  return {
    promos: ranked(
      promos,
      ({ by }) => [by],
      1,
      (group) => [group.length, total(group.map(({ touches }) => touches))],
    ),
    firstTouchPromos: due(promos.filter(({ first }) => first)),
    lastTouchPromos: due(promos.filter(({ last }) => last)),
    delays: ranked(
      promos,
      ({ by }) => [by],
      1,
      (group) => {
        const seconds = group.map((cause) => cause.seconds);
        return [seconds.length, mean(seconds), Math.min(...seconds), Math.max(...seconds)];
      },
    ),
    promosWithoutConversion: ranked(
      steps.filter(({ promo }) => promo !== null && !preceding.has(promo)),
      ({ promo }) => [promo as string],
      1,
      (group) => [new Set(group.map(({ user }) => user)).size],
    ),
    firstTouchReferrers: due(referrers.filter(({ first }) => first)),
    lastTouchReferrers: due(referrers.filter(({ last }) => last)),
    referrerThenPromo: ranked(journeys, (pair) => pair, 2, size),
  };
}
