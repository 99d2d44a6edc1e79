/**
 * The flights example: enriches departures from New York with airline, plane and weather, counts
 * them by airport and hour, and finds each plane's rotations; weather and schedules land as they
 * are.
 */
import type { TopologyBuilder } from 'sluice';
import {
  count,
  fileTable,
  graph,
  graphModel,
  rejected,
  session,
  stream,
  sum,
  table,
  topology,
  tumbling,
  value,
} from 'sluice';
import { airline } from './schemas/airline.gen.ts';
import { departure } from './schemas/departure.gen.ts';
import { departureRow } from './schemas/departure-row.gen.ts';
import { hourlyRow } from './schemas/hourly-row.gen.ts';
import { plane } from './schemas/plane.gen.ts';
import { rotationRow } from './schemas/rotation-row.gen.ts';
import { schedule } from './schemas/schedule.gen.ts';
import { scheduleRow } from './schemas/schedule-row.gen.ts';
import { weather } from './schemas/weather.gen.ts';
import { weatherRow } from './schemas/weather-row.gen.ts';

/**
 * The files are a month of history. In the order of a file, event times are disordered by up to
 * 21.8 hours; but requests are sent side by side and again after a failure, so any two events of
 * the month may come in any order.
 */
const outOfOrderness = '32d';
/**
 * A sender that tries again sends the same event twice; a month of history may be sent again as a
 * whole.
 */
const within = '62d';

/** Airports, who flies between them, and where each plane went. */
const network = graphModel({
  nodes: {
    Airport: { key: 'code', props: { code: 'string' } },
    Plane: { key: 'tailnum', props: { tailnum: 'string' } },
  },
  edges: {
    ROUTE: {
      from: 'Airport',
      to: 'Airport',
      key: ['carrier'],
      props: { carrier: 'string', flights: 'integer' },
    },
    FLEW: { from: 'Plane', to: 'Airport', key: ['departed'], props: { departed: 'string' } },
  },
});

const iso = (ms: number): string => new Date(ms).toISOString();

/** Departures, each once. */
function departuresOf(t: TopologyBuilder) {
  return t
    .source('departures', stream('nyc/departures'))
    .validate('departures-valid', departure)
    .eventTime('departures-time', (e) => e.data.departed, { outOfOrderness })
    .deduplicate('departures-once', { by: (e) => [e.source, e.id], within })
    .map(({ id, data: d }) => ({
      id,
      carrier: d.carrier,
      flight: d.flight,
      tailnum: d.tailnum,
      origin: d.origin,
      dest: d.dest,
      scheduled: d.scheduled,
      departed: d.departed,
      dep_delay_min: d.depDelayMin,
      arr_delay_min: d.arrDelayMin,
      air_time_min: d.airTimeMin,
      distance_miles: d.distanceMiles,
    }));
}

type Departures = ReturnType<typeof departuresOf>;

/** Observations of the weather, each once; they land as they are. */
function observationsOf(t: TopologyBuilder) {
  const observations = t
    .source('weather', stream('nyc/weather'))
    .validate('weather-valid', weather)
    .eventTime('weather-time', (e) => e.data.observed, { outOfOrderness })
    .deduplicate('weather-once', { by: (e) => [e.source, e.id], within })
    .map((e) => ({ id: e.id, ...e.data }));
  observations.sinkTo('weather-table', table('weather', weatherRow));
  return observations;
}

type Observations = ReturnType<typeof observationsOf>;

/** Departures with airline, plane and weather. */
function enrich(departures: Departures, observations: Observations): void {
  // An observation holds for the hour after it: observed in (departed - 1 h, departed].
  const enriched = departures
    .lookup(
      'airline',
      fileTable('data/airlines.json', airline, { key: 'carrier' }),
      { by: (d) => d.carrier },
      (d, found) => ({
        ...d,
        airline: found?.name ?? null,
      }),
    )
    .lookup(
      'plane',
      fileTable('data/planes.json', plane, { key: 'tailnum' }),
      { by: (d) => d.tailnum ?? '' },
      (d, found) => ({
        ...d,
        plane_manufacturer: found?.manufacturer ?? null,
        plane_model: found?.model ?? null,
        plane_seats: found?.seats ?? null,
        plane_year: found?.year ?? null,
      }),
    )
    .keyBy((d) => d.origin)
    .intervalJoin(
      'departure-weather',
      observations.keyBy((o) => o.origin),
      { lower: '-1h', lowerExclusive: true, upper: 0, join: 'left', late: 'side' },
      (d, o) => ({
        ...d,
        weather_observed: o?.observed ?? null,
        temp: o?.temp ?? null,
        wind_speed: o?.wind_speed ?? null,
        precip: o?.precip ?? null,
        visib: o?.visib ?? null,
      }),
    );
  enriched.out.sinkTo('departures-table', table('departures', departureRow));
  enriched.lateLeft.sinkTo('departures-late', rejected());
  enriched.lateRight.sinkTo('weather-late', rejected());
}

/** Departures by airport and hour. */
function countHourly(departures: Departures): void {
  const hourly = departures
    .keyBy((d) => d.origin)
    .window('departures-hourly', tumbling('1h'), { late: 'side' })
    .aggregate({ departures: count(), delay_min: sum((d) => d.dep_delay_min) });
  hourly.out
    .map((w) => ({
      origin: w.key,
      window_start: iso(w.windowStart),
      window_end: iso(w.windowEnd),
      departures: w.departures,
      delay_min: w.delay_min,
    }))
    .sinkTo('departures-hourly-table', table('departures_hourly', hourlyRow));
  hourly.late.sinkTo('departures-hourly-late', rejected());
}

/** The departures of each plane that follow each other within six hours. */
function findRotations(departures: Departures): void {
  const rotations = departures
    .filter((d) => d.tailnum !== null)
    .keyBy((d) => d.tailnum ?? '')
    .window('rotations', session('6h'), { late: 'side' })
    .aggregate({ departures: count() });
  rotations.out
    .map((w) => ({
      tailnum: w.key,
      first_departed: iso(w.windowStart),
      window_end: iso(w.windowEnd),
      departures: w.departures,
    }))
    .sinkTo('rotations-table', table('rotations', rotationRow));
  rotations.late.sinkTo('rotations-late', rejected());
}

/** Who flew where, as a graph. */
function drawNetwork(departures: Departures): void {
  // How often each airline flew each route so far: an absolute count, so that writing it twice
  // changes nothing.
  departures
    .keyBy((d) => [d.origin, d.dest, d.carrier])
    .process('route-counts', {
      state: { flights: value<number>() },
      onElement: (d, { state }) => {
        const flights = (state.flights.get() ?? 0) + 1;
        state.flights.set(flights);
        return [{ origin: d.origin, dest: d.dest, carrier: d.carrier, flights }];
      },
    })
    .sinkTo(
      'routes',
      graph(network, (r) => [
        network.ROUTE({ from: r.origin, to: r.dest, carrier: r.carrier, flights: r.flights }),
      ]),
    );
  departures
    .filter((d) => d.tailnum !== null)
    .sinkTo(
      'flown',
      graph(network, (d) => [
        network.FLEW({ from: d.tailnum ?? '', to: d.dest, departed: d.departed }),
      ]),
    );
}

/** Schedules land as their senders wrote them. */
function keepSchedules(t: TopologyBuilder): void {
  t.source('schedules', stream('nyc/schedules', { dataText: true }))
    .validate('schedules-valid', schedule)
    .eventTime('schedules-time', (e) => e.time, { outOfOrderness })
    .deduplicate('schedules-once', { by: (e) => [e.source, e.id], within })
    .map((e) => ({ id: e.id, day: e.data.day, data: e.dataText }))
    .sinkTo('schedules-table', table('schedules', scheduleRow));
}

export default topology('flights', { version: 2, owner: 'nyc/flights' }, (t) => {
  const departures = departuresOf(t);
  const observations = observationsOf(t);
  enrich(departures, observations);
  countHourly(departures);
  findRotations(departures);
  drawNetwork(departures);
  keepSchedules(t);
});
