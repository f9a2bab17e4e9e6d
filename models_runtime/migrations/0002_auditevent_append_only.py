from django.db import migrations

from models_runtime.append_only import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("models_runtime", "0001_initial")]
    operations = [AppendOnly("auditevent")]
