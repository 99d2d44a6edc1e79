package sluice.flink.parquet;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.Serializable;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.core.fs.FSDataOutputStream;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.FileSystem.WriteMode;
import org.apache.flink.core.fs.Path;

/**
 * The folder or bucket that tables are in, by Flink's file systems. Paths are relative to it.
 *
 * <p>A reader of a published path sees a whole file or none: on a disk it is moved there, in a bucket
 * an object appears when its upload ends. So a stream that could not be written whole is never closed:
 * closing it would publish what there is of it.
 */
final class Lake implements Serializable {
  private static final long serialVersionUID = 1;
  private final String root;

  Lake(String path) {
    root = path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
  }

  private Path at(String path) {
    return new Path(root + "/" + path);
  }

  private FileSystem files() throws IOException {
    return at("x").getFileSystem();
  }

  /** Null where it is not there. */
  byte[] read(String path) throws IOException {
    try (FSDataInputStream in = files().open(at(path))) {
      return in.readAllBytes();
    } catch (FileNotFoundException none) {
      return null;
    }
  }

  boolean exists(String path) throws IOException {
    return files().exists(at(path));
  }

  /** A new file that no reader sees yet. */
  void stage(String path, byte[] content) throws IOException {
    write(path, content, WriteMode.NO_OVERWRITE);
  }

  private void write(String path, byte[] content, WriteMode mode) throws IOException {
    FileSystem files = files();
    FSDataOutputStream out = files.create(at(path), mode);
    out.write(content);
    // A bucket has it once the stream is closed.
    if (!files.isDistributedFS()) out.sync();
    out.close();
  }

  /** Puts a content in place of what is there, at once. */
  void replace(String path, byte[] content, String staged) throws IOException {
    if (files().isDistributedFS()) {
      write(path, content, WriteMode.OVERWRITE);
      return;
    }
    write(staged, content, WriteMode.OVERWRITE);
    publish(staged, path);
  }

  /**
   * Makes a staged file visible, in place of what is there. Doing it twice does nothing more: what is
   * staged is gone then.
   */
  void publish(String staged, String target) throws IOException {
    FileSystem files = files();
    if (!files.isDistributedFS()) {
      if (files.rename(at(staged), at(target))) return;
    } else {
      byte[] content = read(staged);
      if (content != null) {
        write(target, content, WriteMode.OVERWRITE);
        files.delete(at(staged), false);
        return;
      }
    }
    if (!exists(target))
      throw new IOException(
          "the checkpoint refers to " + at(staged) + ", but neither it nor " + at(target) + " exists: restore the lake, or start from a later savepoint");
  }

  /** Whether there is a Parquet file with rows below a folder. {@code without}: the one that has none. */
  boolean hasRows(String folder, String without) throws IOException {
    return hasRows(files(), at(folder), at(without));
  }

  private static boolean hasRows(FileSystem files, Path folder, Path without) throws IOException {
    FileStatus[] found;
    try {
      found = files.listStatus(folder);
    } catch (FileNotFoundException none) {
      return false;
    }
    if (found == null) return false;
    for (FileStatus one : found) {
      Path path = one.getPath();
      if (path.getName().startsWith(".")) continue;
      if (one.isDir() ? hasRows(files, path, without) : isRows(path, without)) return true;
    }
    return false;
  }

  private static boolean isRows(Path path, Path without) {
    return path.getName().endsWith(".parquet") && !path.getPath().equals(without.getPath());
  }
}
