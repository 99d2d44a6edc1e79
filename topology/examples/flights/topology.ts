/**
 * The flights example: validates departures, weather and schedules, keeps each event once, and lands them as tables.
 */
import { stream, table, topology } from 'sluice';
import { departure } from './schemas/departure.gen.ts';
import { departureRow } from './schemas/departure-row.gen.ts';
import { schedule } from './schemas/schedule.gen.ts';
import { scheduleRow } from './schemas/schedule-row.gen.ts';
import { weather } from './schemas/weather.gen.ts';
import { weatherRow } from './schemas/weather-row.gen.ts';

/** Event times are disordered by up to 21.8 hours in the order of the files. */
const outOfOrderness = '24h';
/** A sender that tries again sends the same event twice; a month of history may be sent again as a whole. */
const within = '62d';

export default topology('flights', { version: 1, owner: 'nyc/flights' }, (t) => {
  const departures = t
    .source('departures', stream('nyc/departures'))
    .validate('departures-valid', departure)
    .eventTime('departures-time', (e) => e.data.departed, { outOfOrderness })
    .deduplicate('departures-once', { by: (e) => [e.source, e.id], within });

  departures
    .map((e) => ({
      id: e.id,
      carrier: e.data.carrier,
      flight: e.data.flight,
      tailnum: e.data.tailnum,
      origin: e.data.origin,
      dest: e.data.dest,
      scheduled: e.data.scheduled,
      departed: e.data.departed,
      dep_delay_min: e.data.depDelayMin,
      arr_delay_min: e.data.arrDelayMin,
      air_time_min: e.data.airTimeMin,
      distance_miles: e.data.distanceMiles,
    }))
    .sinkTo('departures-table', table('departures', departureRow));

  t.source('weather', stream('nyc/weather'))
    .validate('weather-valid', weather)
    .eventTime('weather-time', (e) => e.data.observed, { outOfOrderness })
    .deduplicate('weather-once', { by: (e) => [e.source, e.id], within })
    .map((e) => ({ id: e.id, ...e.data }))
    .sinkTo('weather-table', table('weather', weatherRow));

  t.source('schedules', stream('nyc/schedules', { dataText: true }))
    .validate('schedules-valid', schedule)
    .eventTime('schedules-time', (e) => e.time, { outOfOrderness })
    .deduplicate('schedules-once', { by: (e) => [e.source, e.id], within })
    .map((e) => ({ id: e.id, day: e.data.day, data: e.dataText }))
    .sinkTo('schedules-table', table('schedules', scheduleRow));
});
