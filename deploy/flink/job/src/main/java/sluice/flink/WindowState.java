package sluice.flink;

/** A window of a key, as Flink's POJO serializer keeps it: fields may be added. */
public final class WindowState {
  /** By which it is known among the windows of its key: the start that it came with. */
  public long id;
  public long start;
  public long end;
  /** Firings so far. */
  public int fired;
  /** Whether an element came since the last one. */
  public boolean changed;
  /** The next early firing. */
  public Long early;
  /** When its timers come due: of its end or removal, and of an early firing. */
  public Long timer;
  public Long earlyTimer;
  /** As the functions keep them; null before the first element, and after a discarding firing. */
  public String accumulators;
  static final int NO_SLOT = -1;

  /* No part of it, only of where it is now (HeldWindows). */

  /** Whether it is not in state yet. */
  transient boolean isNew;
  /** Whether state has it as it was before. */
  transient boolean isChanged;
  /** Where the functions hold its accumulators open: the text is older then. */
  transient int slot = NO_SLOT;

  public WindowState() {}

  WindowState(long start, long end) {
    id = start;
    this.start = start;
    this.end = end;
    isNew = true;
  }

  boolean isEmpty() {
    return accumulators == null && slot == NO_SLOT;
  }

  /** What is kept of it. */
  WindowState copy() {
    WindowState copy = new WindowState();
    copy.id = id;
    copy.start = start;
    copy.end = end;
    copy.fired = fired;
    copy.changed = changed;
    copy.early = early;
    copy.timer = timer;
    copy.earlyTimer = earlyTimer;
    copy.accumulators = accumulators;
    return copy;
  }
}
