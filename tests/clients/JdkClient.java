// The JDK's HttpClient as it comes, so it offers an upgrade to HTTP/2 with each request: a call on each line of standard
// input (url, content type or "-", body in base64 or "-"; tabs between), its reply on one of standard output.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Base64;

public class JdkClient {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] call = line.split("\t");
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(call[0]));
            if (!call[1].equals("-")) request.header("Content-Type", call[1]);
            byte[] body = call[2].equals("-") ? new byte[0] : Base64.getDecoder().decode(call[2]);
            request.POST(body.length == 0
                ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofByteArray(body));
            var answer = client.send(request.build(), BodyHandlers.ofByteArray());
            System.out.println(answer.statusCode() + "\t" + Base64.getEncoder().encodeToString(answer.body()));
        }
    }
}
