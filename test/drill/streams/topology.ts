/**
 * What the drill of the real streams and the soak run where a scenario needs no other: the ends
 * that all have (topologies/ends.ts).
 */
import { topology } from 'sluice';
import { drillEnds, drillEvents } from './topologies/ends.ts';

export default topology('drill', { version: 1, owner: 'd/drill' }, (t) => {
  const { once } = drillEvents(t);
  drillEnds(once.map((e) => ({ id: e.id, n: e.data.n, user: e.data.user, item: e.data.item })));
});
