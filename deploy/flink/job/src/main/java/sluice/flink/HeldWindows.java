package sluice.flink;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;

/**
 * The windows of an operator, by key and id. Where the functions say so (aggregates that cannot
 * throw while they add), the latest used stay here with their accumulators open in the functions, so
 * that an element does not read and write them as text.
 *
 * <p>1. A window that stays here is a copy: what is in state is never changed, as a snapshot reads it
 * while the job goes on. 2. What changed is in state before each snapshot, and when it leaves.
 */
final class HeldWindows {
  /** Each is some hundred bytes here and in the functions. Tests hold fewer. */
  static int heldMax = 10_000;

  private final AbstractStreamOperator<?> operator;
  private final MapState<Long, WindowState> state;
  private final Scripted window;
  /** Null: all is in state alone. */
  private final LinkedHashMap<Map.Entry<Object, Long>, WindowState> held;
  private int slots;

  HeldWindows(AbstractStreamOperator<?> operator, MapState<Long, WindowState> state, Scripted window) {
    this.operator = operator;
    this.state = state;
    this.window = window;
    held = window.is("holds") ? new LinkedHashMap<>(16, 0.75f, true) : null;
  }

  boolean holds() {
    return held != null;
  }

  private Map.Entry<Object, Long> keyOf(long id) {
    return Map.entry(operator.getCurrentKey(), id);
  }

  WindowState get(long id) throws Exception {
    if (held == null) return state.get(id);
    Map.Entry<Object, Long> key = keyOf(id);
    WindowState one = held.get(key);
    if (one != null) return one;
    WindowState stored = state.get(id);
    if (stored == null) return null;
    WindowState copy = stored.copy();
    held.put(key, copy);
    return copy;
  }

  /** Those of the current key; not where windows stay here. */
  Iterable<WindowState> values() throws Exception {
    return state.values();
  }

  void put(WindowState one) throws Exception {
    if (held == null) {
      state.put(one.id, one);
      return;
    }
    one.isChanged = true;
    held.put(keyOf(one.id), one);
  }

  void remove(long id) throws Exception {
    state.remove(id);
    if (held == null) return;
    WindowState one = held.remove(keyOf(id));
    if (one != null) drop(one);
  }

  /** Adds what was read of an element to the accumulators of a window that stays here. */
  void add(WindowState one, String read) {
    if (one.slot < 0) {
      one.slot = slots++;
      window.run("hold", one.slot, one.accumulators);
    }
    window.run("addHeld", one.slot, read);
  }

  /** The window has no elements any more. */
  void clear(WindowState one) {
    drop(one);
    one.accumulators = null;
  }

  private void drop(WindowState one) {
    if (one.slot >= 0) window.run("drop", one.slot);
    one.slot = WindowState.NO_SLOT;
  }

  /** Before a snapshot; the current key is another one then. */
  void write() throws Exception {
    if (held == null) return;
    for (Map.Entry<Map.Entry<Object, Long>, WindowState> one : held.entrySet())
      write(one.getKey().getKey(), one.getValue());
  }

  private void write(Object key, WindowState one) throws Exception {
    if (!one.isChanged) return;
    one.isChanged = false;
    if (one.slot >= 0) one.accumulators = window.text("heldText", one.slot);
    operator.setCurrentKey(key);
    state.put(one.id, one.copy());
  }

  /** After an element or a timer: lets those go that were not used for the longest time. */
  void shrink() throws Exception {
    if (held == null || held.size() <= heldMax) return;
    Object current = operator.getCurrentKey();
    Iterator<Map.Entry<Map.Entry<Object, Long>, WindowState>> all = held.entrySet().iterator();
    while (held.size() > heldMax) {
      Map.Entry<Map.Entry<Object, Long>, WindowState> eldest = all.next();
      write(eldest.getKey().getKey(), eldest.getValue());
      drop(eldest.getValue());
      all.remove();
    }
    operator.setCurrentKey(current);
  }
}
