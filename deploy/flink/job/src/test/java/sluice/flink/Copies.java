package sluice.flink;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;

/** Copies of operators as tasks have them: by Java's serialization, but for the program that all share. */
final class Copies {
  private Copies() {}

  /** Stands for a program in the bytes. */
  private static final class Place implements java.io.Serializable {
    private static final long serialVersionUID = 1;
  }

  @SuppressWarnings("unchecked")
  static <T> T of(T original) throws IOException, ClassNotFoundException {
    List<Program> programs = new ArrayList<>();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new Replacing(bytes, programs)) {
      out.writeObject(original);
    }
    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray())) {
          {
            enableResolveObject(true);
          }

          @Override
          protected Object resolveObject(Object read) {
            return read instanceof Place ? programs.get(0) : read;
          }
        }) {
      return (T) in.readObject();
    }
  }

  private static final class Replacing extends ObjectOutputStream {
    private final List<Program> programs;

    Replacing(OutputStream out, List<Program> programs) throws IOException {
      super(out);
      this.programs = programs;
      enableReplaceObject(true);
    }

    @Override
    protected Object replaceObject(Object written) {
      if (!(written instanceof Program)) return written;
      programs.add((Program) written);
      return new Place();
    }
  }
}
