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
  /** Whether it is not in state yet; no part of it. */
  transient boolean isNew;

  public WindowState() {}

  WindowState(long start, long end) {
    id = start;
    this.start = start;
    this.end = end;
    isNew = true;
  }
}
