#pragma once
// Release files as text.

#include <string>

namespace vmpatch::repository::test {

/// As apt-ftparchive 2.6 wrote it of an archive with two files.
inline const std::string ftparchive_release = R"(Acquire-By-Hash: yes
Architectures: amd64 all
Codename: bookworm
Components: main
Date: Tue, 01 Dec 2026 01:46:19 +0000
Description: An archive of tests
Label: Debian
Origin: Debian
Suite: stable
Valid-Until: Sat, 05 Dec 2026 02:05:52 +0000
Version: 12.15
MD5Sum:
 68b329da9893e34099c7d8ad5cb9c940                1 main/binary-amd64/Packages
 6bba21fb664a58e99c032eafdcf03cfa               30 main/binary-amd64/Packages.gz
SHA1:
 adc83b19e793491b1c6ea0fd8b46cd9f32e592fc                1 main/binary-amd64/Packages
 386a4fa77834e1bea62c1061efa60f43d0be3707               30 main/binary-amd64/Packages.gz
SHA256:
 01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b                1 main/binary-amd64/Packages
 b69530d31eb86d6bad36ddd4eb5eebdff904e853fedf34223862e1be138137b1               30 main/binary-amd64/Packages.gz
SHA512:
 be688838ca8686e5c90689bf2ab585cef1137c999b48c70b92f67a5c34dc15697b5d11c982ed6d71be1e1e7f7b4e0733884aa97c3f7a339a8ed03577cf74be09                1 main/binary-amd64/Packages
 6358e1d3c196aa1c1d84160240bff16236bb05c54dbba4a759b37dfe4e3d12ff19ddff944e3397d2f536d7a4d63b35ca42eb3650e80a44440aa813d529b4b09a               30 main/binary-amd64/Packages.gz
)";

/// The same by apt-ftparchive without any setting.
inline const std::string bare_release = R"(Date: Tue, 01 Dec 2026 01:46:19 +0000
MD5Sum:
 68b329da9893e34099c7d8ad5cb9c940                1 main/binary-amd64/Packages
SHA256:
 01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b                1 main/binary-amd64/Packages
)";

}  // namespace vmpatch::repository::test
